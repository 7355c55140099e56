/* Draws month, week and day, lets posts be dragged, and says why one may not go where it was put. */
(() => {
  document.documentElement.classList.add("scripted");
  const place = document.getElementById("calendar");
  const panel = document.getElementById("panel");
  const told = document.getElementById("told");
  const token = document.querySelector('meta[name="form-token"]')?.content ?? "";
  const element = (tag, className, text) => {
    const made = document.createElement(tag);
    if (className) made.className = className;
    if (text) made.textContent = text;
    return made;
  };
  const say = (text, tone) => {
    told.className = `flash note ${tone}`;
    told.firstElementChild.textContent = text;
    told.hidden = !text;
    if (text && tone === "bad") told.scrollIntoView({ block: "nearest" });
  };
  /* A move either happened or did not: what lies between (no answer) is said as it is, and everything is drawn anew. */
  const move = async (id, fields) => {
    const body = new URLSearchParams({ form_token: token, ...fields });
    try {
      const answer = await fetch(`/calendar/post/${id}/move`, { method: "POST", body, headers: { Accept: "application/json" } });
      const found = await answer.json();
      return answer.ok ? { ok: true, line: found.said } : { ok: false, line: found.detail ?? "It could not be moved." };
    } catch {
      return { ok: false, line: "No answer came, so it may or may not have moved. The calendar shows how it is.", lost: true };
    }
  };

  /* The list comes from the server, as it does when anybody else moves something. */
  let mover = "";
  const relist = (id) => {
    mover = id;
    document.body.dispatchEvent(new Event("moved"));
  };
  document.addEventListener("htmx:after:swap", () => {
    if (mover && document.activeElement === document.body) document.querySelector(`a[data-post="${mover}"]`)?.focus();
  });
  for (const own of ["pointerdown", "keydown"]) document.addEventListener(own, () => { mover = ""; }, true);
  let calendar = null;
  let opener = null;
  let wanted = "";
  const open = async (id, from) => {
    opener = from ?? document.activeElement;
    wanted = id;
    const answer = await fetch(`/calendar/post/${id}`, { headers: { Accept: "text/html" } }).catch(() => null);
    if (wanted !== id) return; // another one was opened meanwhile
    if (answer?.redirected) return location.reload(); // signed out
    if (!answer?.ok) return say(answer?.status === 404 ? "This post is not there any more." : "The post could not be opened. Try again.", "bad");
    const shown = await answer.text();
    if (wanted !== id) return;
    panel.innerHTML = shown;
    if (!panel.open) panel.showModal();
    (panel.querySelector("input[type=datetime-local]") ?? panel.querySelector(".close button"))?.focus();
  };
  if (panel.open) {
    panel.close();
    panel.showModal();
  }
  panel.addEventListener("click", (event) => {
    if (event.target === panel) panel.close();
  });
  panel.addEventListener("close", () => (opener?.isConnected ? opener : document.querySelector(`[data-post="${CSS.escape(wanted)}"]`))?.focus());
  panel.addEventListener("submit", async (event) => {
    const form = event.target;
    if (!form.matches(".move")) return;
    event.preventDefault();
    const button = form.querySelector("button");
    button.disabled = true;
    const id = form.action.split("/").at(-2);
    const done = await move(id, Object.fromEntries(new FormData(form)));
    button.disabled = false;
    if (!done.ok) {
      form.querySelector(".told").textContent = done.line;
      return;
    }
    panel.close();
    say(done.line, "good");
    if (calendar) calendar.refetchEvents();
    else relist(id);
  });
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-post]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    open(link.dataset.post, link);
  });
  document.getElementById("accounts")?.addEventListener("change", (event) => event.currentTarget.requestSubmit());
  if (!place) return;

  const { view, date, query, today } = place.dataset;
  const views = { month: "dayGridMonth", week: "timeGridWeek", day: "timeGridDay" };
  const pad = (number) => String(number).padStart(2, "0");
  const dayOf = (moment) => `${moment.getFullYear()}-${pad(moment.getMonth() + 1)}-${pad(moment.getDate())}`;
  const wallOf = (moment) => `${dayOf(moment)}T${pad(moment.getHours())}:${pad(moment.getMinutes())}`;
  const phone = matchMedia("(max-width: 60rem)").matches;
  /* What has the focus, by what it still is after the calendar made all of it anew. */
  const focused = () => {
    const at = document.activeElement;
    if (at?.matches(".cellmore")) return `.cellmore[href="${CSS.escape(at.getAttribute("href"))}"]`;
    return at?.dataset.key ? `[data-key="${CSS.escape(at.dataset.key)}"]` : "";
  };
  let days = { more: {}, clocks: {}, closed: [] };
  let dropped = null;
  const fetchEvents = async (asked) => {
    const address = `/calendar/events?start=${asked.startStr.slice(0, 10)}&end=${asked.endStr.slice(0, 10)}${query ? `&${query}` : ""}`;
    const read = () => fetch(address, { headers: { Accept: "application/json" } });
    let answer = await read();
    // What is drawn under a finger takes its click away, and what was read before a drop was answered puts the post back.
    for (let busy = lifted() ?? dropped; busy; busy = lifted() ?? dropped) {
      await busy;
      answer = await read();
    }
    if (!answer.ok) {
      say("The calendar could not be read. It is tried again when something moves.", "bad");
      return [];
    }
    if (answer.headers.get("Handbill-Workspace") !== document.documentElement.dataset.workspace) {
      location.reload(); // another one was chosen in another tab
      return [];
    }
    const found = await answer.json();
    const held = focused();
    days = found;
    setTimeout(() => {
      mark();
      if (held && document.activeElement === document.body) place.querySelector(held)?.focus();
      // Late in the day the grid cannot be rolled so far up that the line of now is above a small screen's end.
      if (!place.dataset.drawn) place.querySelector(".ec-now-indicator")?.scrollIntoView({ block: "nearest" });
      place.dataset.drawn = Number(place.dataset.drawn ?? 0) + 1; // for whoever waits until all is there
    });
    const back = (kind) => (span, number) => ({ ...span, id: `${kind}-${number}`, display: "background", classNames: [kind], title: "" });
    return [...found.events, ...found.slots.map(back("slot")), ...found.quiet.map(back("silent"))];
  };
  /* Days on which clocks change, on which nobody posts, or with more posts than are drawn. */
  const mark = () => {
    for (const old of place.querySelectorAll(".cellmark, .cellmore")) old.remove();
    // Its roles make a table whose cells hold no posts; without them a post says day, time and account by itself.
    for (const node of [place, ...place.querySelectorAll("[role], [aria-colindex], [aria-rowindex]")]) {
      for (const name of ["aria-colindex", "aria-rowindex", "aria-colcount", "aria-rowcount", "aria-colspan", "aria-rowspan"]) node.removeAttribute(name);
      if (["table", "grid", "rowgroup", "row", "cell", "gridcell", "columnheader", "rowheader"].includes(node.getAttribute("role"))) node.removeAttribute("role");
    }
    for (const time of place.querySelectorAll("time[datetime]")) {
      const day = time.getAttribute("datetime"); // of a day; those of its hours are longer
      const head = time.parentElement;
      if (day.length > 10 || time.closest(".ec-event")) continue;
      if (days.clocks[day]) head.append(element("span", "cellmark", phone ? "Clocks" : days.clocks[day]));
      if (days.closed.includes(day)) head.append(element("span", "cellmark closed", "no posts"));
      if (days.more[day]) {
        const link = element("a", "cellmore", phone ? `+${days.more[day]}` : `${days.more[day]} more`);
        link.setAttribute("aria-label", `${days.more[day]} more on ${day}`);
        link.href = `/calendar?view=day&date=${day}${query ? `&${query}` : ""}`;
        head.append(link);
      }
    }
  };
  calendar = EventCalendar.create(place, {
    view: views[view],
    height: view === "month" ? undefined : "100%",
    date,
    firstDay: 1,
    locale: "en-GB",
    timeZone: place.dataset.offset, // where its line of now stands; posts come at wall times and are not shifted
    headerToolbar: { start: "", center: "", end: "" },
    eventSources: [{ events: fetchEvents }],
    editable: false,
    eventDurationEditable: false,
    eventLongPressDelay: 350,
    longPressDelay: 350,
    nowIndicator: true,
    pointer: false,
    lazyFetching: false,
    dayMaxEvents: false,
    slotDuration: "00:30",
    snapDuration: "00:15",
    slotEventOverlap: false,
    scrollTime: `${pad(place.dataset.hour)}:00`,
    allDaySlot: false,
    dayHeaderFormat: { weekday: "short", ...(view === "month" ? {} : { day: "numeric", month: phone ? undefined : "short" }) },
    slotLabelFormat: (time) => `${pad(time.getHours())}:${pad(time.getMinutes())}`,
    eventTimeFormat: (start) => `${pad(start.getHours())}:${pad(start.getMinutes())}`,
    eventContent: ({ event }) => {
      if (event.display === "background") return "";
      const { at, label, name, status, evergreen, many } = event.extendedProps;
      const line = element("span", "line");
      if (many) {
        const { hues } = event.extendedProps;
        line.append(element("b", "", at), element("span", "what", view === "week" ? `${many} posts` : event.title));
        if (view === "month") line.append(element("span", "count", `×${many}`));
        const dots = element("span", "dots");
        for (const hue of hues.slice(0, 8)) dots.append(element("span", `dot hue-${hue}`));
        return { domNodes: [line, dots] };
      }
      const state = element("span", "state");
      state.title = status;
      line.append(element("b", "", event.display === "auto" ? at : wallOf(event.start).slice(11)), element("span", "what", event.title), state);
      if (evergreen) {
        const again = element("span", "again", "↻");
        again.title = `Evergreen: ${evergreen}`;
        line.firstElementChild.after(again);
      }
      const nodes = [line];
      if (view === "day") line.insertBefore(element("span", "who", `${label} · ${name} · ${status}`), state);
      return { domNodes: nodes };
    },
    eventDidMount: ({ el, event }) => {
      if (event.display === "background") return;
      const { at, label, name, status, many, until, each } = event.extendedProps;
      el.dataset.key = event.id;
      const day = event.start.toLocaleDateString("en-GB", { weekday: "short", day: "numeric", month: "long" });
      if (many) {
        const span = until ? `${at} to ${until}` : at;
        el.setAttribute("aria-label", `${day}, ${span}, ${many} posts${view === "month" ? ` of ${event.title}` : ""}: ${status}. Open the day.`);
        el.title = [event.title, ...each].join("\n");
        return;
      }
      el.setAttribute("aria-label", `${day}, ${at}, ${label} ${name}, ${status}: ${event.title}`);
      el.title = `${label} ${name}: ${status}`;
      el.dataset.post = event.id;
    },
    eventClick: ({ event, el }) => {
      if (event.display === "background") return;
      if (event.extendedProps.many) location.assign(`/calendar?view=day&date=${dayOf(event.start)}${query ? `&${query}` : ""}`);
      else open(event.id, el);
    },
    eventDrop: async ({ event, oldEvent, revert }) => {
      const answered = move(event.id, { wall: wallOf(event.start), seen: String(event.extendedProps.seen) });
      dropped = answered;
      const done = await answered;
      if (dropped === answered) dropped = null;
      say(done.line, done.ok ? "good" : "bad");
      if (!done.ok) revert();
      if (done.ok || done.lost) calendar.refetchEvents();
    },
  });
  let waiting = 0;
  document.body.addEventListener("moved", () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => calendar.refetchEvents(), 150);
  });
})();
