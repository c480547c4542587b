import { existsSync } from "node:fs";
import { type Browser, chromium } from "playwright";

const flags = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** The same engine without the windows of a desktop: a page costs a third of the processor time. */
const SHELL = "/usr/lib/chromium/chromium-headless-shell";

const whole = process.env.CHROMIUM ?? "/usr/bin/chromium";
const usesShell =
  process.env.CHROMIUM === undefined && process.env.ANYKV_RUNS !== "full" && existsSync(SHELL);

interface Launch {
  readonly executablePath: string;
  readonly args: string[];
}

/** The Chromium that users have: that of the system, or that of the variable `CHROMIUM`. */
export const WHOLE_CHROMIUM: Launch = { executablePath: whole, args: flags };

/**
 * How the tests start Chromium: the headless shell when it is installed. `ANYKV_RUNS=full` and the
 * variable `CHROMIUM` choose the whole browser.
 */
export const CHROMIUM: Launch = { executablePath: usesShell ? SHELL : whole, args: flags };

export const launchChromium = (options: Launch = CHROMIUM): Promise<Browser> =>
  chromium.launch(options);
