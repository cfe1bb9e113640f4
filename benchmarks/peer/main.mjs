// `node main.mjs seed|serve FILE`: fills the database, or answers requests with as many processes as were asked for.
import cluster from 'node:cluster';
import { readFileSync, writeFileSync } from 'node:fs';

import { make } from './provider.mjs';
import { connect, TABLES } from './store.mjs';

const [, , command, file] = process.argv;
const told = JSON.parse(readFileSync(file));

async function seed() {
  const query = connect(told.database, 4);
  for (const statement of TABLES.split(';').filter((text) => text.trim())) await query(undefined, statement);
  await query(undefined, `INSERT INTO account (id, profile)
    SELECT 'person-' || n, jsonb_build_object('name', 'Person ' || n, 'person_number', lpad(n::text, 10, '0'))
    FROM generate_series(0, ${told.citizens - 1}) n`);
  await query(undefined, `INSERT INTO kept (model, id, payload, expires)
    SELECT 'Grant', 'kept-' || n, jsonb_build_object('accountId', 'person-' || n, 'clientId', 'agency-' || n % ${told.agencies},
      'kind', 'Grant', 'jti', 'kept-' || n, 'openid', jsonb_build_object('scope', 'openid')), now() + interval '1 year'
    FROM generate_series(0, ${told.citizens - 1}) n`);
  const provider = make(told, query);
  const sessions = [];
  for (const [person, client] of told.visits) {
    const accountId = `person-${person}`;
    const grant = new provider.Grant({ accountId, clientId: client });
    grant.addOIDCScope('openid');
    const grantId = await grant.save(31_536_000);
    const session = new provider.Session({
      accountId, loginTs: Math.floor(Date.now() / 1000), authorizations: { [client]: { sid: grantId, grantId } },
    });
    await session.save(43_200);
    sessions.push(session.jti);
  }
  await query(undefined, 'VACUUM ANALYZE');
  writeFileSync(told.sessions, JSON.stringify(sessions));
  process.exit(0);
}

function serve() {
  if (cluster.isPrimary) {
    for (let n = 0; n < told.workers; n += 1) cluster.fork();
    process.on('SIGTERM', () => process.exit(0));
    return;
  }
  const provider = make(told, connect(told.database, 4));
  provider.on('server_error', (_ctx, error) => console.error(error));
  provider.listen(told.port, '127.0.0.1');
}

await (command === 'seed' ? seed() : serve());
