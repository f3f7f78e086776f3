const form = document.getElementById("filter");
if (form) {
  const copies = [...document.querySelectorAll(".copy")];
  const show = () => {
    const wanted = Object.fromEntries(new FormData(form));
    let left = 0;
    for (const copy of copies) {
      const row = copy.dataset;
      const fits = (!wanted.verdict || row.classes.split("\n").includes(wanted.verdict))
        && (!wanted.source || row.source.split("\n").includes(wanted.source))
        && (!wanted.flip || row.flip === wanted.flip);
      copy.hidden = !fits;
      left += fits;
    }
    const filtered = wanted.verdict || wanted.source || wanted.flip;
    for (const family of document.querySelectorAll(".families > li")) {
      family.hidden = Boolean(filtered) && !family.querySelector(".copy:not([hidden])");
    }
    form.querySelector("output").textContent = `${left} of ${copies.length} copies`;
  };
  form.addEventListener("change", show);
  show();
}
