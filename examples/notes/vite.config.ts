import path from "node:path";
import react from "@vitejs/plugin-react";
import { defineConfig, type UserConfig } from "vite";

const dist = path.join(import.meta.dirname, "../../dist");

const config: UserConfig = defineConfig({
  root: import.meta.dirname,
  plugins: [react()],
  // A project that has anykv installed needs no alias.
  resolve: { alias: [{ find: /^anykv\/(.*)$/, replacement: `${dist}/$1.js` }] },
  build: { target: "es2022", outDir: "dist", emptyOutDir: true },
});

export default config;
