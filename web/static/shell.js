/* What every page does: tells us the browser's time zone, closes menus, and notices when somebody was signed out
   or looks at another workspace. */
(() => {
  const root = document.documentElement;
  /* What somebody has typed or chosen and not sent is nowhere but here: no page is loaded anew over it. */
  const typed = () => [...document.querySelectorAll("main :is(input, textarea)")].some((field) =>
    ["checkbox", "radio"].includes(field.type) ? field.checked !== field.defaultChecked : field.type !== "hidden" && field.value !== field.defaultValue);
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone || "";
  for (const field of document.querySelectorAll("[data-zone-field]")) field.value = zone;

  const token = document.querySelector('meta[name="form-token"]')?.content;
  if (token && zone && root.dataset.zone !== zone && !("zoneFixed" in root.dataset) && sessionStorage.zone !== zone) {
    sessionStorage.zone = zone; // asked once, or a browser with a zone that we do not know would load for ever
    fetch("/zone", { method: "POST", headers: { "X-Form-Token": token, "X-Zone": zone } }).then((answer) => {
      const told = document.querySelector("body > .flash[role=status]"); // which would be said no more
      if (answer.status === 205 && !typed() && !told) location.reload(); // times are shown otherwise now
    });
  }

  const close = (but) => {
    for (const menu of document.querySelectorAll("details.menu[open]")) if (!menu.contains(but)) menu.open = false;
  };
  document.addEventListener("click", (event) => close(event.target));
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    const menu = document.activeElement?.closest("details.menu[open]");
    close(null);
    menu?.querySelector("summary").focus();
  });

  /* Whether another workspace was chosen in another tab. */
  const elsewhere = (answer) => {
    const other = answer.headers?.get?.("Handbill-Workspace");
    return other && root.dataset.workspace && other !== root.dataset.workspace;
  };
  document.addEventListener("htmx:before:swap", (event) => elsewhere(event.detail.ctx.response) && event.preventDefault());
  document.addEventListener("htmx:after:request", (event) => {
    const answer = event.detail?.ctx?.response;
    if (!answer || !(elsewhere(answer) || answer.status === 401)) return;
    if (!typed()) return location.reload();
    if (document.getElementById("elsewhere")) return;
    const note = document.createElement("p");
    note.id = "elsewhere";
    note.className = "flash note bad";
    note.setAttribute("role", "alert");
    const [what, then] = elsewhere(answer) ? ["look at another workspace by now", "load the page again"] : ["were signed out", "load the page again to sign in"];
    note.innerHTML = `<span>You ${what}. What you typed is still here: copy it, then ${then}.</span>`;
    document.querySelector("main").before(note);
  });
})();
