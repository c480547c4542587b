export { compressed, type CompressedOptions } from "./compressed.ts";
