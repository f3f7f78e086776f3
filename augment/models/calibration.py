"""Sentences that ranges of numbers are measured on; written for this, of many kinds, and the same for every run."""

TEXT = """
The film begins slowly, but its last half hour is as tense and moving as anything I have seen this year.
Honestly? A waste of two hours; the jokes fall flat and nobody on the screen seems to care.
Please cancel my subscription and refund the 49.99 that was charged on March 3rd.
She said, "We will not leave before the rain stops," and closed the door behind her.
In 1887 the town had 2,314 inhabitants, two mills and a railway station.
Researchers measured the temperature of the water at twelve depths, from the surface down to forty metres.
why does my phone keep restarting after the update
The committee rejected the proposal by nine votes to four, with one abstention.
Add the flour, salt and melted butter; stir until smooth, then let the dough rest for an hour.
He had never been so tired in his life.
Shares of the company fell 6.2% on Tuesday after it lowered its forecast for the second quarter.
The old bridge across the river was destroyed during the war and rebuilt in stone ten years later.
What a charming, funny, beautifully acted little comedy!
If the pressure exceeds the limit, the valve opens automatically and an alarm is sounded.
Three children were playing football in the street while their dog slept in the shade.
I don't think it's fair that we weren't told about the change until yesterday.
The species lives in damp forests of the northern islands, where it feeds on insects and small fruit.
Dear Mrs. Brown, thank you for your letter of the 14th; the documents are enclosed.
Can you book me a table for four at an Italian restaurant near the theatre tonight?
The court held that the contract was void because neither party had signed the final version.
the acting is weak , the plot is thin and the ending makes no sense at all
According to the report, nearly half of all households now own at least one electric vehicle.
A man in a red jacket is standing on a ladder and painting the wall of a house.
Nobody knew where the sound came from; it seemed to rise out of the ground itself.
The algorithm sorts the list in place and needs no additional memory.
After the goal in the 89th minute the whole stadium was on its feet, singing.
It is a truth not often told that great cities are built by people who never see them finished.
My package still hasn't arrived, and the tracking page says "delivered" since Friday.
The president met the ministers of finance and foreign affairs in the capital on Monday morning.
Light from the nearest star takes more than four years to reach us.
an utterly compelling portrait of a woman who refuses to be forgiven
Turn left at the church, follow the road for two miles, and you will see the farm on your right.
"""

SENTENCES = tuple(TEXT.split("\n")[1:-1])
