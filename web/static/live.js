/* Says whether a page is live, and lets nothing be exchanged that is late or under a finger; htmx does the rest. */
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

  /* What somebody wrote into a field stays there, whatever the server has in it by now; the value of a button or an
     option is nobody's words, and has no default to be compared with. */
  document.addEventListener("DOMContentLoaded", () => htmx.registerExtension("typed", {
    htmx_before_morph_attr: (field, { attrName }) => attrName !== "value" || field.type === "hidden" || !("defaultValue" in field) || field.value === field.defaultValue,
  }));

  /* A press begins on one element and must end on the same one, or it is no click: what comes meanwhile is asked for
     again when the finger is lifted. */
  let pressed = false;
  let missed = false;
  const waiting = [];
  const ask = () => document.body.dispatchEvent(new Event("moved"));
  const release = () => setTimeout(() => {
    pressed = false;
    if (missed) ask();
    missed = false;
    for (const go of waiting.splice(0)) go();
  }, 50); // the click comes after the finger is lifted
  window.lifted = () => (pressed ? new Promise((go) => waiting.push(go)) : null);
  /* The press that opens a menu is no click, and some systems keep its end for the menu. */
  addEventListener("pointerdown", (event) => { pressed ||= event.button === 0 && !event.ctrlKey; }, true);
  for (const end of ["pointerup", "pointercancel"]) addEventListener(end, () => pressed && release(), true);
  addEventListener("blur", (event) => event.target === window && pressed && release()); // a field's own says nothing
  document.addEventListener("htmx:before:swap", (event) => {
    if (event.target.id !== "live") return;
    const stale = event.detail.ctx.request.action !== location.pathname + location.search;
    if (!pressed && !stale) return;
    event.preventDefault();
    if (pressed) missed = true;
    else setTimeout(ask); // what was asked for at an address that has been left since
  });
})();
