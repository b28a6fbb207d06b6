// The Review page's keys, before Streamlit's own shortcuts see them. A key that is held down, pressed twice, or pressed before the
// signal in view could be read decides nothing; N moves the cursor at once, so that no letter of a note is taken for a key.
(() => {
  if (window.reviewKeys) return;
  window.reviewKeys = true;
  const READABLE_MS = 300;
  let inView = null, since = 0, decided = null;
  const marker = () => document.querySelector("[data-review-signal]");
  const note = () => document.querySelector("input[placeholder='Note (N)']");
  const look = () => {
    const now = marker()?.dataset.reviewSignal ?? null;
    if (now !== inView) { inView = now; since = performance.now(); decided = null; }
  };
  new MutationObserver(look).observe(document.body, { subtree: true, childList: true, attributes: true, attributeFilter: ["data-review-signal"] });
  look();
  window.addEventListener("keydown", (event) => {
    if (!marker()) return;
    const stop = () => { event.preventDefault(); event.stopImmediatePropagation(); };
    const typing = event.target.closest?.("input, textarea, select, [contenteditable=true]");
    if (typing) {
      if (event.key === "Enter" && typing === note()) setTimeout(() => typing.blur());
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey || !/^[axunjkz]$/i.test(event.key)) return;
    const key = event.key.toLowerCase();
    const covered = document.querySelector("[data-testid=stPopoverBody], [role=dialog]");
    if (event.repeat || covered) return stop();
    if (key === "n") { stop(); note()?.focus(); return; }
    look();
    if (!"axu".includes(key)) return;
    if (performance.now() - since < READABLE_MS || decided === inView) return stop();
    decided = inView;
    setTimeout(() => { if (decided === inView) decided = null; }, 2000);  // refused, or the connection was lost: again
  }, true);
})();
