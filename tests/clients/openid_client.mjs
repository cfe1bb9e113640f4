// An agency's program with npm's `openid-client`: FAPI 2.0 with PAR, PKCE and a signed response, by assertion and DPoP or by
// certificate. What it is told comes as JSON in its first argument; one line out with where to send the browser, one line in
// with where the browser came back, one line out with everything it got.
import * as client from 'openid-client'
import { Agent, fetch as dispatched } from 'undici'
import { answer, come_back, read, say } from './story.mjs'

const told = read()
const signing = { name: 'ECDSA', namedCurve: 'P-256' }
const execute = []
let method, key
if (told.certificate) {
  const dispatcher = new Agent({ connect: { cert: told.certificate, key: told.key, ca: told.ca } })
  method = client.TlsClientAuth()
  execute.push((config) => { config[client.customFetch] = (url, options) => dispatched(url, { ...options, dispatcher }) })
} else {
  key = await crypto.subtle.importKey('jwk', told.jwk, signing, false, ['sign'])
  method = client.PrivateKeyJwt({ key, kid: told.jwk.kid })
}
if (told.decrypts) {
  const ours = await crypto.subtle.importKey('jwk', told.decrypts, { name: 'ECDH', namedCurve: 'P-256' }, false, ['deriveBits'])
  const opening = { key: ours, alg: 'ECDH-ES', kid: told.decrypts.kid }
  execute.push((config) => client.enableDecryptingResponses(config, ['A256GCM'], opening))
}
if (told.jarm) execute.push(client.useJwtResponseMode)
const metadata = { use_mtls_endpoint_aliases: Boolean(told.certificate), ...told.metadata }
const config = await client.discovery(new URL(told.issuer), told.client_id, metadata, method, { execute })
const keys = { DPoP: told.certificate ? undefined : client.getDPoPHandle(config, await client.randomDPoPKeyPair('ES256')) }

const verifier = client.randomPKCECodeVerifier()
const expected = { state: client.randomState(), nonce: client.randomNonce() }
let asked = {
  redirect_uri: told.redirect_uri,
  scope: told.scope,
  code_challenge: await client.calculatePKCECodeChallenge(verifier),
  code_challenge_method: 'S256',
  ...expected,
}
if (told.details) asked.authorization_details = JSON.stringify(told.details)
if (told.signs) {
  const signed = await client.buildAuthorizationUrlWithJAR(config, asked, { key, kid: told.jwk.kid })
  asked = signed.searchParams
}
const url = await client.buildAuthorizationUrlWithPAR(config, asked, keys)
say({ url: url.href })

const back = await come_back()
const checks = { pkceCodeVerifier: verifier, expectedState: expected.state, expectedNonce: expected.nonce, idTokenExpected: true }
const tokens = await client.authorizationCodeGrant(config, back, checks, undefined, keys)
const sub = tokens.claims().sub
const server = config.serverMetadata()
const prefill = told.certificate ? server.mtls_endpoint_aliases.prefill_endpoint : server.prefill_endpoint
const data = async (token) => answer(
  () => client.fetchProtectedResource(config, token, new URL(prefill), 'GET', undefined, undefined, keys))
const got = {
  claims: tokens.claims(),
  type: tokens.token_type,
  parts: tokens.id_token.split('.').length,
  details: tokens.authorization_details,
  access_token: tokens.access_token,
  userinfo: await client.fetchUserInfo(config, tokens.access_token, sub, keys),
  prefill: await data(tokens.access_token),
}
if (tokens.refresh_token) {
  const again = await client.refreshTokenGrant(config, tokens.refresh_token, undefined, keys)
  got.again = await data(again.access_token)
  await client.tokenRevocation(config, tokens.refresh_token)
  got.revoked = await data(again.access_token)
  got.refused = await answer(() => client.refreshTokenGrant(config, tokens.refresh_token, undefined, keys))
}
const leaving = { id_token_hint: tokens.id_token, post_logout_redirect_uri: told.signed_out, state: 'left' }
got.end = client.buildEndSessionUrl(config, leaving).href
say(got)
