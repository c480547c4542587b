/** A statement as `pg` takes it. */
export interface PgQuery {
  text: string;
  values?: (string | null)[];
  rowMode: "array";
  types: { getTypeParser(): (value: unknown) => string };
  query_timeout?: number;
}

/** The result of a statement. */
export interface PostgresResult {
  readonly rows: unknown[];
}

/** The part of a `pg` Pool or Client that is used. */
export interface PgClient {
  query(query: PgQuery): Promise<PostgresResult>;
  connect(): Promise<unknown>;
  end(): Promise<unknown>;
  on(event: "error", listener: () => void): unknown;
}
