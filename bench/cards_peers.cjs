// Draws the benchmark's card with peers from npm: one card for every line on stdin, its milliseconds on stdout.
const { createRequire } = require("node:module");
const { readFileSync } = require("node:fs");
const readline = require("node:readline");

const [method, photoPath, fontPath, folder, title, byline] = process.argv.slice(2);
const peers = createRequire(`${folder}/`);
const photo = readFileSync(photoPath);
const font = readFileSync(fontPath);
const [width, height] = [1200, 630];
const shade = "linear-gradient(rgba(11,16,22,0) 25%, rgba(11,16,22,0.7) 55%, rgba(11,16,22,0.7) 100%)";
const box = (style, children) => ({ type: "div", props: { style: { display: "flex", ...style }, children } });

async function satoriResvg() {
  const satori = peers("satori").default ?? peers("satori");
  const { Resvg } = peers("@resvg/resvg-js");
  const sharp = peers("sharp");
  const src = `data:image/jpeg;base64,${photo.toString("base64")}`;
  const svg = await satori(
    box({ width, height, position: "relative", color: "#fff", fontFamily: "Card" }, [
      { type: "img", props: { src, style: { position: "absolute", width, height, objectFit: "cover" } } },
      box({ position: "absolute", width, height, padding: "54px 61px", flexDirection: "column",
        justifyContent: "flex-end", backgroundImage: shade }, [
        box({ fontSize: 63, lineHeight: 1.1, marginBottom: 28 }, title),
        box({ fontSize: 28 }, byline),
      ]),
    ]),
    { width, height, fonts: [{ name: "Card", data: font, weight: 700, style: "normal" }] },
  );
  const { pixels } = new Resvg(svg, { font: { loadSystemFonts: false } }).render();
  return sharp(Buffer.from(pixels), { raw: { width, height, channels: 4 } }).jpeg({ quality: 85 }).toBuffer();
}

async function sharpSvg() {
  const sharp = peers("sharp");
  const lines = title.match(/.{1,30}(\s|$)/g).map(
    (line, n) => `<text x="61" y="${380 + n * 70}" font-size="63" font-weight="bold">${line.trim()}</text>`);
  const over = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}">
    <linearGradient id="g" x1="0" y1="0" x2="0" y2="1"><stop offset=".25" stop-opacity="0"/><stop offset=".55" stop-opacity=".7"/></linearGradient>
    <rect width="100%" height="100%" fill="url(#g)"/><g fill="#fff" font-family="sans-serif">${lines.join("")}
    <text x="61" y="${height - 61}" font-size="28">${byline}</text></g></svg>`;
  return sharp(photo).resize(width, height, { fit: "cover" }).composite([{ input: Buffer.from(over) }])
    .jpeg({ quality: 85 }).toBuffer();
}

const draw = { "satori-resvg": satoriResvg, "sharp-svg": sharpSvg }[method];
(async () => {
  for await (const _ of readline.createInterface({ input: process.stdin })) {
    const begun = process.hrtime.bigint();
    await draw();
    console.log((Number(process.hrtime.bigint() - begun) / 1e6).toFixed(3));
  }
})();
