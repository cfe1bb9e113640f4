// An agency's program with npm's `oauth4webapi`, which leaves every step to its user: FAPI 2.0 with PAR, PKCE, DPoP and a signed
// response. In and out as in `openid_client.mjs`.
import * as oauth from 'oauth4webapi'
import { answer, come_back, read, say } from './story.mjs'

const told = read()
const issuer = new URL(told.issuer)
const server = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer))
const client = { client_id: told.client_id, ...told.metadata }
const key = await crypto.subtle.importKey('jwk', told.jwk, { name: 'ECDSA', namedCurve: 'P-256' }, false, ['sign'])
const method = oauth.PrivateKeyJwt({ key, kid: told.jwk.kid })
const DPoP = oauth.DPoP(client, await oauth.generateKeyPair('ES256'))

// A server asks for its nonce by refusing the first call (RFC 9449 §8).
const asked = async (call) => {
  try {
    return await call()
  } catch (problem) {
    if (!oauth.isDPoPNonceError(problem)) throw problem
    told.nonces = (told.nonces ?? 0) + 1
    return call()
  }
}

const verifier = oauth.generateRandomCodeVerifier()
const state = oauth.generateRandomState()
const nonce = oauth.generateRandomNonce()
const parameters = new URLSearchParams({
  client_id: told.client_id,
  response_type: 'code',
  redirect_uri: told.redirect_uri,
  scope: told.scope,
  state,
  nonce,
  code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
  code_challenge_method: 'S256',
  ...(told.jarm ? { response_mode: 'jwt' } : {}),
})
const pushed = await asked(async () => oauth.processPushedAuthorizationResponse(server, client,
  await oauth.pushedAuthorizationRequest(server, client, method, parameters, { DPoP })))
const url = new URL(server.authorization_endpoint)
url.searchParams.set('client_id', told.client_id)
url.searchParams.set('request_uri', pushed.request_uri)
say({ url: url.href })

const back = await come_back()
const response = told.jarm
  ? await oauth.validateJwtAuthResponse(server, client, back, state)
  : oauth.validateAuthResponse(server, client, back, state)
const tokens = await asked(async () => oauth.processAuthorizationCodeResponse(server, client,
  await oauth.authorizationCodeGrantRequest(server, client, method, response, told.redirect_uri, verifier, { DPoP }),
  { expectedNonce: nonce, requireIdToken: true }))
const claims = oauth.getValidatedIdTokenClaims(tokens)
const userinfo = await asked(async () => oauth.processUserInfoResponse(server, client, claims.sub,
  await oauth.userInfoRequest(server, client, tokens.access_token, { DPoP })))
const data = (token) => answer(
  () => asked(() => oauth.protectedResourceRequest(token, 'GET', new URL(server.prefill_endpoint), undefined, undefined, { DPoP })))
const got = {
  claims,
  type: tokens.token_type,
  access_token: tokens.access_token,
  userinfo,
  prefill: await data(tokens.access_token),
  nonces: told.nonces,
}
if (tokens.refresh_token) {
  const refresh = () => asked(async () => oauth.processRefreshTokenResponse(server, client,
    await oauth.refreshTokenGrantRequest(server, client, method, tokens.refresh_token, { DPoP })))
  got.again = await data((await refresh()).access_token)
  await oauth.processRevocationResponse(await oauth.revocationRequest(server, client, method, tokens.refresh_token))
  got.refused = await answer(refresh)
}
say(got)
