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

/** How the tests start the Chromium of the system, or that of the variable CHROMIUM. */
export const CHROMIUM: { readonly executablePath: string; readonly args: string[] } = {
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: flags,
};

export const launchChromium = (): Promise<Browser> => chromium.launch(CHROMIUM);
