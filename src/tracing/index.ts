export type { TraceMessage } from "./message.ts";
export { trace, traceAll, type TraceOptions } from "./trace.ts";
