/* What every page does: tells us the browser's time zone, closes menus, and notices when somebody was signed out. */
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
      if (answer.status === 205 && !typed()) location.reload(); // times are shown otherwise now
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
    if (other && root.dataset.workspace && other !== root.dataset.workspace) return location.reload();
    if (answer.status !== 401) return;
    if (!typed()) return location.reload();
    if (document.getElementById("signed-out")) return;
    const note = document.createElement("p");
    note.id = "signed-out";
    note.className = "flash note bad";
    note.setAttribute("role", "alert");
    note.innerHTML = "<span>You were signed out. What you typed is still here: copy it, then load the page again to sign in.</span>";
    document.querySelector("main").before(note);
  });
})();
