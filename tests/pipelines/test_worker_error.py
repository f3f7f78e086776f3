"""What goes wrong in workers comes home as it was raised there."""

import logging

import pytest

with pytest.MonkeyPatch.context() as quiet:
    quiet.setattr(logging, "warning", lambda *_: None)
    import apache_beam as beam

from pipelines.worker_error import brought_home, errors_sent_home
from schemas.errors import KINDS


@pytest.mark.parametrize("kind", KINDS)
def test_every_error_comes_home_as_it_was(kind):
    sent = kind('a {brace} and a "quote"', "line one\nline two", "do this")

    class Raise(beam.DoFn):
        def process(self, element):
            with errors_sent_home():
                raise sent

    pipeline = beam.Pipeline(runner="FnApiRunner")
    _ = pipeline | beam.Create([1]) | beam.ParDo(Raise())
    with pytest.raises(Exception, match="offline-distill-error") as caught:
        pipeline.run()
    found = brought_home(caught.value)
    assert type(found) is kind
    assert str(found) == str(sent)


def test_an_error_of_another_kind_stays_itself():
    error = RuntimeError("something else")
    assert brought_home(error) is error
