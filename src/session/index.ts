export { createSessions, type Sessions, type SessionsOptions } from "./sessions.ts";
