export { createLimiter, type Limiter, type Window } from "./limiter.ts";
