/**
 * The shapes of the HTTP API, from its OpenAPI document: docs/openapi.json → src/data/schema.ts.
 *
 *   node tools/gen-api.mjs            writes the file
 *   node tools/gen-api.mjs --check    fails when the file is not what the document gives
 */
import { readFileSync, writeFileSync } from "node:fs";
import openapiTS, { astToString } from "openapi-typescript";

const DOCUMENT = new URL("../../docs/openapi.json", import.meta.url);
const SCHEMA = new URL("../src/data/schema.ts", import.meta.url);
const HEADER = `/**
 * The HTTP API's shapes, made from docs/openapi.json by "npm run gen:api". Don't edit: change the service's
 * types, write the document anew ("make docs"), then make this file again.
 */
`;

const read = (url) => {
  try {
    return readFileSync(url, "utf8");
  } catch (error) {
    if (error.code === "ENOENT") return null;
    throw error;
  }
};

const text = read(DOCUMENT);
if (text === null) {
  console.error('docs/openapi.json is missing: "make docs" writes it');
  process.exit(1);
}
// Shapes only: the routes are the client's (src/data/client.ts). An object without listed fields holds anything, not nothing.
const nodes = await openapiTS({ ...JSON.parse(text), paths: {} }, { emptyObjectsUnknown: true });
const shapes = nodes.filter((node) => node.name?.text === "components");
// The printer indents by four; this project by two.
const schema = HEADER + astToString(shapes).replace(/^(?: {4})+/gm, (indent) => " ".repeat(indent.length / 2));

if (!process.argv.includes("--check")) {
  writeFileSync(SCHEMA, schema);
} else if (read(SCHEMA) !== schema) {
  console.error('ui/src/data/schema.ts is not what docs/openapi.json gives: run "npm run gen:api --workspace ui"');
  process.exit(1);
} else {
  console.log("shapes of the API: as docs/openapi.json gives them");
}
