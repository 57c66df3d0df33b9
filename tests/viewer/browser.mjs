// A real Chromium, and what every page is looked at for: scripts that fail, things that the policy refuses, faults that axe finds.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { chromium } from 'playwright-core';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const FLAGS = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update',
  '--disable-sync', '--enable-precise-memory-info',
];

export const launch = (args = []) => chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: [...FLAGS, ...args] });

/** Opens a page that notes what goes wrong on it. */
export async function open(browser, url, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1800, height: 800 }, acceptDownloads: true, ...options });
  const page = await context.newPage();
  page.troubles = [];
  page.on('pageerror', (error) => page.troubles.push(`error: ${error.stack}`));
  page.on('console', (line) => {
    if (/Content Security Policy/.test(line.text())) page.troubles.push(`policy: ${line.text()}`);
  });
  page.on('dialog', (dialog) => {
    page.troubles.push(`a script ran: ${dialog.message()}`);
    dialog.dismiss();
  });
  if (url) await page.goto(url);
  return page;
}

/** The page is live: what it shows is taken over from the script. */
export const live = (page) => page.waitForSelector('#live[data-state=live], #live[data-state=polled]');

/** Nothing went wrong so far. */
export const fine = (page) => assert.deepEqual(page.troubles, []);

/** What axe finds, in a line each. */
export async function faults(page) {
  await page.evaluate(AXE);
  const found = await page.evaluate(() => axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] }));
  return found.violations.flatMap(({ id, nodes }) => nodes.slice(0, 3).map((node) => `${id}: ${node.html.slice(0, 160)} ${node.failureSummary}`));
}

/** The row element with this name in its primary cell. */
export const row = (page, name) => page.locator('.space .row', { has: page.locator('.primary', { hasText: new RegExp(`^[▾▸]?${name}$`) }) });

/** The cell of a row in the column with this title. */
export async function cell(page, name, column) {
  const titles = await page.locator('.head .row').first().locator('.cell').allTextContents();
  return row(page, name).locator('.cell').nth(titles.indexOf(column));
}
