/* Copies a piece of the post, and hands all of it to another app where the browser can. */
(() => {
  const said = document.getElementById("said");
  const text = document.getElementById("text");
  const share = document.getElementById("share");
  const pictures = [...document.querySelectorAll("img[data-share]")];

  /* Without https there is no clipboard to write to; a selection can still be copied. */
  const copy = async (piece) => {
    if (navigator.clipboard && window.isSecureContext) return navigator.clipboard.writeText(piece.textContent);
    const range = document.createRange();
    range.selectNodeContents(piece);
    const selection = window.getSelection();
    selection.removeAllRanges();
    selection.addRange(range);
    if (!document.execCommand("copy")) throw new Error("not copied");
    selection.removeAllRanges();
  };

  for (const button of document.querySelectorAll("button[data-copy]")) {
    button.addEventListener("click", async () => {
      const piece = document.getElementById(button.dataset.copy);
      try {
        await copy(piece);
        button.textContent = "Copied";
        said.textContent = "Copied.";
      } catch {
        window.getSelection().selectAllChildren(piece);
        button.textContent = "Selected";
        said.textContent = "It is selected: copy it with your device's own menu.";
      }
      setTimeout(() => (button.textContent = "Copy"), 2500);
    });
  }

  if (!share || !navigator.share) return;
  let files = [];
  share.addEventListener("click", async () => {
    const data = { text: text.textContent };
    if (files.length && navigator.canShare?.({ ...data, files })) data.files = files;
    try {
      await navigator.share(data);
    } catch (error) {
      if (error.name !== "AbortError") said.textContent = "It could not be shared: copy it instead.";
    }
  });
  /* Fetched before they are asked for: a share must follow the tap at once. */
  Promise.all(
    pictures.map(async (picture, number) => {
      const body = await (await fetch(picture.src)).blob();
      return new File([body], `picture-${number + 1}.${body.type === "image/png" ? "png" : "jpg"}`, { type: body.type });
    }),
  ).then((found) => (files = found), () => {}).finally(() => (share.hidden = false));
})();
