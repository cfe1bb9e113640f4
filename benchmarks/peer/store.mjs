// Everything the peer keeps, in PostgreSQL: one row an object, durable before it is answered, spent in one statement.
import pg from 'pg';

export const TABLES = `
CREATE TABLE kept (
    model text NOT NULL, id text NOT NULL, payload jsonb NOT NULL, grant_id text, uid text, expires timestamptz, consumed bigint,
    PRIMARY KEY (model, id)
);
CREATE INDEX kept_grant ON kept (grant_id) WHERE grant_id IS NOT NULL;
CREATE INDEX kept_uid ON kept (uid) WHERE uid IS NOT NULL;
CREATE TABLE account (id text PRIMARY KEY, profile jsonb NOT NULL, disabled boolean NOT NULL DEFAULT false);
`;

const ONCE = new Set(['AuthorizationCode', 'PushedAuthorizationRequest', 'ReplayDetection']);
const COLUMNS = 'payload, consumed, expires IS NOT NULL AND expires <= now() AS over';

export class AlreadySpent extends Error {}

/** A pool on one database; its statements are prepared once a connection. */
export function connect(url, size) {
  const pool = new pg.Pool({ connectionString: url, max: size });
  return (name, text, values) => pool.query({ name, text, values });
}

/** The adapter that oidc-provider is given: one instance a model. */
export function adapter(query) {
  return class Store {
    constructor(model) {
      this.model = model;
    }

    async upsert(id, payload, seconds) {
      const values = [this.model, id, payload, payload.grantId ?? null, payload.uid ?? null, seconds ?? null];
      const row = `INSERT INTO kept (model, id, payload, grant_id, uid, expires)
                   VALUES ($1, $2, $3, $4, $5, now() + $6 * interval '1 second')`;
      if (ONCE.has(this.model)) { // made once: a second one of the same id was used before
        const made = await query('insert', `${row} ON CONFLICT DO NOTHING`, values);
        if (made.rowCount === 0) throw new AlreadySpent(this.model);
        return;
      }
      await query('upsert', `${row} ON CONFLICT (model, id) DO UPDATE SET payload = excluded.payload,
                             grant_id = excluded.grant_id, uid = excluded.uid, expires = excluded.expires`, values);
    }

    async find(id) {
      return read(await query('find', `SELECT ${COLUMNS} FROM kept WHERE model = $1 AND id = $2`, [this.model, id]));
    }

    async findByUid(uid) {
      return read(await query('uid', `SELECT ${COLUMNS} FROM kept WHERE model = $1 AND uid = $2`, [this.model, uid]));
    }

    async findByUserCode() {
      return undefined; // there is no device grant here
    }

    async consume(id) {
      const spent = await query(
        'consume',
        'UPDATE kept SET consumed = extract(epoch FROM now())::bigint WHERE model = $1 AND id = $2 AND consumed IS NULL',
        [this.model, id],
      );
      if (spent.rowCount === 0) throw new AlreadySpent(this.model);
    }

    async destroy(id) {
      await query('destroy', 'DELETE FROM kept WHERE model = $1 AND id = $2', [this.model, id]);
    }

    async revokeByGrantId(grantId) {
      await query('revoke', 'DELETE FROM kept WHERE model = $1 AND grant_id = $2', [this.model, grantId]);
    }
  };
}

function read({ rows: [row] }) {
  if (row === undefined || row.over) return undefined;
  return row.consumed === null ? row.payload : { ...row.payload, consumed: Number(row.consumed) };
}
