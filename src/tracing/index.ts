export type { TraceMessage } from "./channels.ts";
export { trace, traceAll, type TraceOptions } from "./trace.ts";
