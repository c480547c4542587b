/**
 * Options for stores of tests that are not about timeouts. A busy machine may need longer than the
 * 5 seconds that a request has by default.
 */
export const PATIENT: { readonly timeout: string } = { timeout: "2m" };
