// Builds what broker/pages/static holds. Names carry the content's hash, so a browser may keep a file for ever.
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import rtlcss from "rtlcss";
import * as sass from "sass";

const here = dirname(fileURLToPath(import.meta.url));
const target = process.argv[2] ?? join(here, "..", "broker", "pages", "static");

const compile = (name) =>
  sass.compile(join(here, name), { style: "compressed", quietDeps: true, sourceMap: false, charset: false }).css;

// The crest's addresses point at files we do not ship; no other picture is asked for by the style sheet.
const unbranded = (css) => css.replaceAll(/[a-z-]+:\s*url\([^)]*crest[^)]*\);?/g, "");

const notice = `/*!\n${readFileSync(join(here, "govuk-frontend-licence.txt"), "utf8").trim()}\n*/\n`;

const ltr = notice + unbranded(compile("semel.scss"));
const rtl = rtlcss.process(ltr) + compile("rtl.scss");
for (const css of [ltr, rtl]) {
  if (/GDS Transport|url\(|govuk-crest/.test(css)) throw new Error("the style sheet asks for branding or foreign files");
}

const library = readFileSync(join(here, "node_modules/govuk-frontend/dist/govuk/govuk-frontend.min.js"), "utf8");
const [code, tail] = library.split(/export\{(?=[^}]*initAll)/);
if (!tail) throw new Error("govuk-frontend's script has another shape than expected");
const script = notice + code + "\n" + readFileSync(join(here, "page.js"), "utf8");

const own = (name) => readFileSync(join(here, name), "utf8");
const outputs = { "ltr.css": ltr, "rtl.css": rtl, "page.js": script, "form-post.js": own("form-post.js"), "check-session.js": own("check-session.js"), "mark.svg": own("mark.svg") };
mkdirSync(target, { recursive: true });
for (const old of readdirSync(target)) rmSync(join(target, old));
for (const [name, text] of Object.entries(outputs)) {
  const hash = createHash("sha256").update(text).digest("hex").slice(0, 12);
  const [stem, ending] = name.split(".");
  writeFileSync(join(target, `${stem}-${hash}.${ending}`), text);
}
