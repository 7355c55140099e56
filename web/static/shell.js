/* What every page does: tells us the browser's time zone, closes menus, and notices when somebody was signed out. */
(() => {
  const root = document.documentElement;
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone || "";
  for (const field of document.querySelectorAll("[data-zone-field]")) field.value = zone;

  const token = document.querySelector('meta[name="form-token"]')?.content;
  if (token && zone && root.dataset.zone !== zone && !("zoneFixed" in root.dataset) && sessionStorage.zone !== zone) {
    sessionStorage.zone = zone; // asked once, or a browser with a zone that we do not know would load for ever
    fetch("/zone", { method: "POST", headers: { "X-Form-Token": token, "X-Zone": zone } }).then((answer) => {
      if (answer.status === 205) location.reload(); // times are shown otherwise now
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

  document.addEventListener("htmx:after:request", (event) => {
    const answer = event.detail?.ctx?.response;
    if (!answer) return;
    const other = answer.headers?.get?.("Handbill-Workspace");
    if (answer.status === 401 || (other && root.dataset.workspace && other !== root.dataset.workspace)) location.reload();
  });
})();
