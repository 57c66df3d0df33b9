// The manifest of the Teams app against its schema, and the sizes of its icons.

import Ajv from 'ajv';
import addFormats from 'ajv-formats';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const [folder] = process.argv.slice(2);
const manifest = JSON.parse(readFileSync(join(folder, 'manifest.json')));
const schemas = join(import.meta.dirname, 'node_modules/@microsoft/app-manifest/build/json-schemas/teams');
const schema = JSON.parse(readFileSync(join(schemas, `v${manifest.manifestVersion}`, 'MicrosoftTeams.schema.json')));
// Of an older draft that ajv does not know; nothing in the schema depends on it.
delete schema.$schema;
const ajv = new Ajv({ strict: false, allErrors: true });
addFormats(ajv);
if (!ajv.validate(schema, manifest)) {
  console.error(ajv.errors);
  process.exit(1);
}
for (const [icon, size] of [['color.png', 192], ['outline.png', 32]]) {
  const png = readFileSync(join(folder, icon));
  const [width, height] = [png.readUInt32BE(16), png.readUInt32BE(20)];
  if (width !== size || height !== size) throw new Error(`${icon} is ${width} x ${height}, not ${size} x ${size}`);
}
// Teams wants a version that begins with 1 or more; otherwise it is that of the program.
const ours = readFileSync(join(import.meta.dirname, '../../Cargo.toml'), 'utf8').match(/^version = "(.+)"/m)[1];
if (manifest.version !== ours.replace(/^0\./, '1.')) throw new Error(`the package has version ${manifest.version}, the program ${ours}`);
if (manifest.bots[0].botId !== manifest.id || /example\.com|0000/.test(JSON.stringify(manifest))) throw new Error('something is not filled in');
console.log(`the Teams app fits manifest schema ${manifest.manifestVersion}`);
