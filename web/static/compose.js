/* Counts and shows what is written while it is written, keeps drafts by itself, and lets nothing typed be lost. */
(() => {
  document.documentElement.classList.add("scripted");
  const form = document.getElementById("editor");
  if (!form) return;
  const check = document.getElementById("check");
  const saved = document.getElementById("saved");
  const text = document.getElementById("text");
  const seen = form.elements.namedItem("seen");
  const draft = form.dataset.status === "draft";
  const say = (line, bad = false) => {
    saved.textContent = line;
    saved.classList.toggle("bad", bad);
  };
  let dirty = false;
  let running = null;
  let timer = 0;

  const send = async (address, fields) => {
    const body = new FormData(form);
    body.delete("do");
    for (const [name, value] of Object.entries(fields)) body.set(name, value);
    if (!body.get("upload")?.size) body.delete("upload");
    return fetch(address, { method: "POST", body, headers: { Accept: "text/html", "X-Part": "check" } });
  };
  /* One at a time: what was typed meanwhile is sent when the answer is there. */
  const refresh = async () => {
    if (running) return;
    running = true;
    const keeps = draft && dirty;
    check.setAttribute("aria-busy", "true");
    try {
      const before = JSON.stringify([...new FormData(form)].filter(([, v]) => typeof v === "string"));
      const answer = await send(keeps ? form.action : `${form.action}/check`, keeps ? { do: "save", picture: "keep" } : {});
      const html = await answer.text();
      if (answer.ok) {
        const unfolded = check.querySelector("details[open]");
        check.innerHTML = html;
        if (unfolded) for (const folded of check.querySelectorAll("details")) folded.open = true;
        if (keeps) {
          seen.value = answer.headers.get("X-Seen");
          dirty = JSON.stringify([...new FormData(form)].filter(([n, v]) => typeof v === "string" && n !== "seen")) !==
            JSON.stringify(JSON.parse(before).filter(([n]) => n !== "seen"));
          if (!dirty) say(picked() ? "Text saved. The picture is kept with Save." : "Saved.");
        }
      } else if (keeps) {
        say(line(html) || "It could not be saved; your words are still here.", true);
      }
    } catch {
      if (keeps) say("No answer: not saved yet. Your words are still here.", true);
    }
    check.removeAttribute("aria-busy");
    running = null;
    if (dirty && draft && !saved.classList.contains("bad")) later();
  };
  const line = (html) => new DOMParser().parseFromString(html, "text/html").querySelector("main p")?.textContent ?? "";
  const picked = () => form.querySelector('input[name="picture"]:checked')?.value !== "keep";
  const later = (wait = 700) => {
    clearTimeout(timer);
    timer = setTimeout(refresh, wait);
  };
  form.addEventListener("input", (event) => {
    if (event.target.type === "radio" && event.target.name !== "picture") return later(100);
    if (event.target.closest(".sliders, [data-template]")) return;
    dirty = true;
    if (!draft) say("Not saved yet.");
    else say("…");
    later();
  });
  addEventListener("beforeunload", (event) => {
    if (dirty || (picked() && form.querySelector('input[name="picture"]'))) event.preventDefault();
  });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    clearTimeout(timer);
    const button = event.submitter;
    if (button) button.disabled = true;
    while (running) await new Promise((done) => setTimeout(done, 50));
    say("Saving …");
    try {
      const sent = send(form.action, { do: button?.value ?? "save" });
      form.inert = true; // what was typed now would be gone when the page is loaded anew
      const answer = await sent;
      const html = await answer.text();
      if (answer.ok) {
        dirty = false;
        form.querySelector('input[name="picture"][value="keep"]')?.click();
        dirty = false;
        clearTimeout(timer);
        sessionStorage.said = answer.headers.get("X-Said") ?? "";
        location.reload();
        return;
      }
      say(line(html) || "It could not be saved; your words are still here.", true);
      saved.scrollIntoView({ block: "nearest" });
    } catch {
      say("No answer came. Your words are still here: try again.", true);
    }
    form.inert = false;
    if (button) button.disabled = false;
    button?.focus();
  });
  if (sessionStorage.said) {
    say(sessionStorage.said);
    sessionStorage.removeItem("said");
  }

  let variant = 0;
  let before = [];
  const undo = form.querySelector("[data-undo]");
  const write = async (template) => {
    const answer = await fetch(`${form.action}/write?variant=${variant}&template=${encodeURIComponent(template)}`);
    if (!answer.ok) return say("It could not be written anew.", true);
    const found = await answer.json();
    before.push(text.value);
    undo.hidden = false;
    text.value = found.text;
    text.dispatchEvent(new Event("input", { bubbles: true }));
  };
  form.querySelector("[data-write]").addEventListener("click", () => {
    variant += 1;
    write(form.querySelector("[data-template]").value);
  });
  form.querySelector("[data-template]").addEventListener("change", (event) => write(event.target.value));
  undo.addEventListener("click", () => {
    text.value = before.pop();
    undo.hidden = !before.length;
    text.dispatchEvent(new Event("input", { bubbles: true }));
  });

  form.addEventListener("click", (event) => {
    if (event.target.closest("[data-add]")) {
      const made = document.getElementById("part").content.cloneNode(true);
      document.getElementById("parts").append(made);
      document.querySelector("#parts .part:last-child textarea").focus();
    }
    const gone = event.target.closest("[data-remove]");
    if (gone) {
      gone.parentElement.remove();
      text.dispatchEvent(new Event("input", { bubbles: true }));
    }
  });

  const focus = form.elements.namedItem("focus");
  const photo = document.getElementById("photo");
  const point = form.querySelector(".point");
  const sliders = [...form.querySelectorAll("[data-axis]")];
  const file = form.querySelector(".file");
  const aim = (x, y) => {
    focus.value = `${x.toFixed(3)},${y.toFixed(3)}`;
    point.hidden = false;
    point.style.left = `${x * 100}%`;
    point.style.top = `${y * 100}%`;
    sliders[0].value = x * 100;
    sliders[1].value = y * 100;
    for (const image of form.querySelectorAll("[data-design]")) {
      image.src = `${form.action}/card?design=${image.dataset.design}&focus=${focus.value}`;
    }
    say("Choose the picture that should have this middle.");
  };
  /* A photo that is gone, damaged or too small is known once it is asked for, and then it is not offered. */
  for (const image of form.querySelectorAll('#photo, [data-design="plain"]')) {
    const refused = () => {
      const tile = image.closest(".designs label");
      image.closest("details")?.remove();
      if (!tile) return;
      const none = document.createElement("span");
      none.className = "none";
      none.textContent = "cannot be used";
      tile.querySelector("input").disabled = true;
      image.replaceWith(none);
    };
    image.addEventListener("error", refused, { once: true });
    if (image.complete && !image.naturalWidth) refused();
  }
  photo?.addEventListener("click", (event) => {
    const place = photo.getBoundingClientRect();
    aim((event.clientX - place.left) / place.width, (event.clientY - place.top) / place.height);
  });
  for (const slider of sliders) slider.addEventListener("change", () => aim(sliders[0].value / 100, sliders[1].value / 100));
  form.addEventListener("change", (event) => {
    if (event.target.name === "picture") file?.classList.toggle("shown", event.target.value === "upload");
    if (event.target.name === "picture" && event.target.value === "upload") form.elements.namedItem("upload").click();
    if (["wall", "zone"].includes(event.target.name)) form.querySelector('input[name="when"][value="at"]').checked = true;
  });
})();
