/* Says whether a page is live; htmx does the rest. */
(() => {
  const show = (on) => {
    const sign = document.getElementById("live");
    if (!sign) return;
    sign.hidden = false;
    const now = on ? "on" : "off";
    if (sign.dataset.now === now) return;
    sign.dataset.now = now;
    sign.textContent = on ? "Live" : "Not live, trying again";
  };
  document.addEventListener("htmx:sse:after:connection", () => show(true));
  document.addEventListener("htmx:sse:error", () => show(false));
  document.addEventListener("htmx:sse:close", () => show(false));
  document.addEventListener("htmx:error", () => show(false));
  document.addEventListener("htmx:after:request", (event) => {
    const status = event.detail?.ctx?.response?.status ?? 0;
    if (status) show(status < 500);
  });
})();
