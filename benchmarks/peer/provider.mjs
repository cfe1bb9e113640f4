// oidc-provider as it is set up beside Semel: the same checks on, the same algorithms, the same clients and people.
import * as crypto from 'node:crypto';

import Provider from 'oidc-provider';

import { adapter } from './store.mjs';

/** `told` is what the benchmark wrote to a file: issuer, keys, secrets, clients. */
export function make(told, query) {
  const salt = Buffer.from(told.salt, 'base64');
  const server = { audience: told.resource, scope: 'files:read', accessTokenFormat: 'jwt', accessTokenTTL: 300 };
  const opaque = { ...server, audience: told.opaque, accessTokenFormat: 'opaque' };
  return new Provider(told.issuer, {
    adapter: adapter(query),
    clients: told.clients,
    jwks: told.jwks,
    subjectTypes: ['pairwise'],
    pairwiseIdentifier: (_ctx, account, client) => crypto
      .createHmac('sha256', salt).update(`${client.sectorIdentifier} ${account}`).digest('base64url'),
    pkce: { required: () => true },
    responseTypes: ['code'],
    scopes: ['openid', 'files:read'],
    clientAuthMethods: ['private_key_jwt', 'client_secret_basic'],
    enabledJWA: {
      clientAuthSigningAlgValues: ['ES256'],
      idTokenSigningAlgValues: ['ES256', 'RS256'],
      dPoPSigningAlgValues: ['ES256'],
    },
    ttl: { AccessToken: 300, AuthorizationCode: 60, ClientCredentials: 300, IdToken: 300, Session: 43_200, Grant: 31_536_000 },
    expiresWithSession: () => false,
    async findAccount(_ctx, id) {
      const { rows: [row] } = await query('account', 'SELECT profile, disabled FROM account WHERE id = $1', [id]);
      return row === undefined || row.disabled ? undefined : { accountId: id, claims: async () => ({ sub: id }) };
    },
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      introspection: { enabled: true, allowedPolicy: () => true },
      revocation: { enabled: true },
      pushedAuthorizationRequests: { enabled: true, requirePushedAuthorizationRequests: true },
      dPoP: { enabled: true, nonceSecret: Buffer.from(told.nonce, 'base64'), requireNonce: () => true },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: (_ctx, resource) => (resource === told.opaque ? opaque : server),
      },
      userinfo: { enabled: true },
      rpInitiatedLogout: { enabled: false },
    },
  });
}
