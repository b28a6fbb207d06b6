// Back from a page leads to the one before it as it was. When a page with something of its own in the address is left by a link,
// Streamlit first writes the new page's query behind the old page's path, as an entry of the history, new or (soon after a Back)
// in place of the one that is left, that shows neither; it is left out.
(() => {
  if (window.backButton) return;
  window.backButton = true;
  const PATIENCE_MS = 10000;
  let leftAt = -Infinity;
  document.addEventListener("click", (event) => {
    const link = event.target.closest?.("a[href]");
    if (!link || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    if (link.origin === location.origin && link.pathname !== location.pathname) leftAt = performance.now();
  }, true);
  const isOfTheLeft = (url) => performance.now() - leftAt < PATIENCE_MS && url && new URL(url, location.href).pathname === location.pathname;
  const { pushState, replaceState } = history;
  history.pushState = (...entry) => {
    if (isOfTheLeft(entry[2])) return;
    leftAt = -Infinity;
    pushState.apply(history, entry);
  };
  history.replaceState = (...entry) => {
    if (!isOfTheLeft(entry[2])) replaceState.apply(history, entry);
  };
})();
