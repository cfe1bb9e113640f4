// An agency's programs without a person: one registers itself (RFC 7591), one gets a token for another's server (RFC 6749 §4.4) with
// `openid-client`, that server asks what the token is worth and gets a signed answer (RFC 9701) with `oauth4webapi`.
import * as oauth from 'oauth4webapi'
import * as client from 'openid-client'
import { answer, read, say } from './story.mjs'

const told = read()
const issuer = new URL(told.issuer)
const sign = (jwk) => crypto.subtle.importKey('jwk', jwk, { name: 'ECDSA', namedCurve: 'P-256' }, false, ['sign'])
const assert = async (jwk) => ({ key: await sign(jwk), kid: jwk.kid })

const registered = await client.dynamicClientRegistration(issuer, told.registration, client.PrivateKeyJwt(await assert(told.jwk)), {
  initialAccessToken: told.initial,
})
const own = client.getDPoPHandle(registered, await client.randomDPoPKeyPair('ES256'))
const itself = await client.clientCredentialsGrant(registered, undefined, { DPoP: own })

const config = await client.discovery(issuer, told.client_id, undefined, client.PrivateKeyJwt(await assert(told.jwk)))
const DPoP = client.getDPoPHandle(config, await client.randomDPoPKeyPair('ES256'))
const token = await client.clientCredentialsGrant(config, { resource: told.resource }, { DPoP })

const server = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, { algorithm: 'oauth2' }))
const files = { client_id: told.server_id, introspection_signed_response_alg: 'ES256' }
const asks = oauth.PrivateKeyJwt(await assert(told.server_jwk))
const introspected = async () => {
  const response = await oauth.introspectionRequest(server, files, asks, token.access_token, { requestJwtResponse: true })
  const worth = await oauth.processIntrospectionResponse(server, files, response)
  await oauth.validateApplicationLevelSignature(server, response)
  return worth
}
const before = await introspected()
await client.tokenRevocation(config, token.access_token)
say({
  registered: registered.clientMetadata(),
  itself: itself.token_type,
  type: token.token_type,
  before,
  after: await introspected(),
  unknown: await answer(() => client.clientCredentialsGrant(config, { resource: 'https://other.example/' }, { DPoP })),
  person: await answer(() => client.clientCredentialsGrant(config, { scope: 'openid' }, { DPoP })),
})
