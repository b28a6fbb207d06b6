// How wide the window is, for the desk to size its tables by: from the next time that a page is loaded on.
(() => {
  if (window.viewportTold) return;
  window.viewportTold = true;
  const tell = () => { document.cookie = `signaldesk_width=${window.innerWidth};path=/;max-age=31536000;samesite=strict`; };
  window.addEventListener("resize", tell);
  tell();
})();
