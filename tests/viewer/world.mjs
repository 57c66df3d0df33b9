// The world of the stories: the bot as a process of its own over the stand-ins, a session of the API, links to its sheet.

import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const PROGRAM = process.env.CHATSHEET;

export class World {
  static async start({ sheet = 'Project Plan', smartsheet = [], azure = [], settings = {} } = {}) {
    const world = new World();
    world.folder = mkdtempSync(join(tmpdir(), 'chatsheet-viewer-'));
    world.children = [];
    // In life whoever else works in Smartsheet has a pace of their own; here they share the bot's token.
    const others = ['--requests-per-minute', '1000000'];
    const far = { ...(await world.side('smartsheet', [...others, ...smartsheet])), ...(await world.side('azure', azure)) };
    const port = await freePort();
    world.base = `http://127.0.0.1:${port}`;
    world.far = far;
    world.settings = {
      ...far, DATABASE_URL: `sqlite://${world.folder}/story.db`, LISTEN: `127.0.0.1:${port}`, PUBLIC_BASE_URL: world.base,
      CHATSHEET_SECRET_KEY: '0123456789abcdef0123456789abcdef', RUST_LOG: 'warn', ...settings,
    };
    world.key = (await world.once(['key', 'create', 'story'])).trim();
    await world.serve();
    world.session = await world.api('POST', '/api/sessions', { sheet });
    return world;
  }

  /** A stand-in; what it prints as settings. */
  async side(name, words) {
    const child = this.child(['sandbox', name, '--listen', '127.0.0.1:0', ...words], {});
    const settings = {};
    for await (const line of createInterface({ input: child.stdout })) {
      const [, key, value] = /^([A-Z_0-9]+)=(.*)$/.exec(line) ?? [];
      if (key) settings[key] = value;
      if (/DEPLOYMENT|ACCESS_TOKEN/.test(key)) break;
    }
    return settings;
  }

  child(words, settings) {
    const child = spawn(PROGRAM, words, { cwd: this.folder, env: { PATH: process.env.PATH, ...settings }, stdio: ['ignore', 'pipe', 'inherit'] });
    this.children.push(child);
    return child;
  }

  async serve() {
    this.server = this.child(['serve'], this.settings);
    for (;;) {
      const ready = await fetch(`${this.base}/readyz`).catch(() => null);
      if (ready?.ok) return;
      if (this.server.exitCode !== null) throw new Error('the bot ended');
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  /** Ends the bot as a power failure would. */
  async kill() {
    const gone = new Promise((resolve) => this.server.once('exit', resolve));
    this.server.kill('SIGKILL');
    await gone;
  }

  async once(words) {
    const child = spawn(PROGRAM, words, { cwd: this.folder, env: { PATH: process.env.PATH, ...this.settings }, stdio: ['ignore', 'pipe', 'ignore'] });
    let said = '';
    for await (const part of child.stdout) said += part;
    return said;
  }

  async api(method, path, body) {
    const headers = { Authorization: `Bearer ${this.key}`, 'Content-Type': 'application/json' };
    const answer = await fetch(this.base + path, { method, headers, body: body && JSON.stringify(body) });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
    return text ? JSON.parse(text) : null;
  }

  /** Says something in the session; what the bot shows. */
  async say(content) {
    const { messages } = await this.api('POST', '/api/messages', { sessionId: this.session.id, content });
    return messages.map((message) => message.text).join('\n');
  }

  /** The link that the bot answers with. */
  async link(word) {
    return /http:\/\/[^\s)]+\/v\/[^\s)]+/.exec(await this.say(word))[0];
  }

  /** Somebody else at work in Smartsheet. */
  async smartsheet(method, path, body) {
    const headers = { Authorization: `Bearer ${this.far.SMARTSHEET_ACCESS_TOKEN}`, 'Content-Type': 'application/json' };
    const answer = await fetch(this.far.SMARTSHEET_API_BASE_URL + path, { method, headers, body: body && JSON.stringify(body) });
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
    return answer.json();
  }

  /** The sheet as Smartsheet has it. */
  async sheet() {
    return this.smartsheet('GET', `/sheets/${this.session.sheetId}`);
  }

  /** Sets a cell in Smartsheet. */
  async set(row, column, value) {
    const { rows, columns } = await this.sheet();
    const id = (title) => columns.find((c) => c.title === title).id;
    const primary = columns.find((c) => c.primary).id;
    const found = rows.find((r) => r.cells.some((c) => c.columnId === primary && c.value === row));
    await this.smartsheet('PUT', `/sheets/${this.session.sheetId}/rows`, [{ id: found.id, cells: [{ columnId: id(column), value, strict: false }] }]);
    return found.id;
  }

  async cell(row, column) {
    const { rows, columns } = await this.sheet();
    const id = (title) => columns.find((c) => c.title === title).id;
    const primary = columns.find((c) => c.primary).id;
    const found = rows.find((r) => r.cells.some((c) => c.columnId === primary && c.value === row));
    return found?.cells.find((c) => c.columnId === id(column))?.value;
  }

  end() {
    for (const child of this.children) child.kill('SIGKILL');
    rmSync(this.folder, { recursive: true, force: true });
  }
}

async function freePort() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}
