/**
 * What `using` needs, for programs whose TypeScript knows it (`lib` with "esnext.disposable");
 * nothing for others, which the names of these symbols would not compile in.
 */
export type UsingDisposable = SymbolConstructor extends {
  readonly dispose: infer Name extends symbol;
}
  ? { [K in Name]: () => void }
  : object;

/** The same for `await using`. */
export type AsyncUsingDisposable = SymbolConstructor extends {
  readonly asyncDispose: infer Name extends symbol;
}
  ? { [K in Name]: () => Promise<void> }
  : object;
