// An agency's program that asks in one place for a decision in another: a device shows a code (RFC 8628), or the person's own
// device is asked at once (CIBA). With `openid-client` or `oauth4webapi`; in and out as in `openid_client.mjs`.
import * as oauth from 'oauth4webapi'
import * as client from 'openid-client'
import { answer, decided, read, say } from './story.mjs'

const told = read()
const issuer = new URL(told.issuer)
const key = await crypto.subtle.importKey('jwk', told.jwk, { name: 'ECDSA', namedCurve: 'P-256' }, false, ['sign'])
const metadata = { id_token_signed_response_alg: 'ES256' }
// FAPI-CIBA §5.2.2 has the request signed; neither library does that by itself here, one offers the tool.
const asked = told.kind === 'device' ? { scope: told.scope } : {
  request: await oauth.issueRequestObject({ issuer: told.issuer }, { client_id: told.client_id },
    { scope: told.scope, login_hint: told.login_hint, binding_message: told.message }, { key, kid: told.jwk.kid }),
}
const outcome = (tokens, claims, data) => ({ claims, type: tokens.token_type, access_token: tokens.access_token, prefill: data })

async function with_openid_client() {
  const config = await client.discovery(issuer, told.client_id, metadata, client.PrivateKeyJwt({ key, kid: told.jwk.kid }))
  const keys = { DPoP: client.getDPoPHandle(config, await client.randomDPoPKeyPair('ES256')) }
  const [ask, poll] = told.kind === 'device'
    ? [client.initiateDeviceAuthorization, client.pollDeviceAuthorizationGrant]
    : [client.initiateBackchannelAuthentication, client.pollBackchannelAuthenticationGrant]
  const response = await ask(config, asked)
  say(response)
  await decided()
  const tokens = await poll(config, { ...response, interval: 1 }, undefined, keys) // it is decided: no need to wait for five
  const prefill = new URL(config.serverMetadata().prefill_endpoint)
  return outcome(tokens, tokens.claims(), await answer(
    () => client.fetchProtectedResource(config, tokens.access_token, prefill, 'GET', undefined, undefined, keys)))
}

async function with_oauth4webapi() {
  const server = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer))
  const who = { client_id: told.client_id, ...metadata }
  const method = oauth.PrivateKeyJwt({ key, kid: told.jwk.kid })
  const DPoP = oauth.DPoP(who, await oauth.generateKeyPair('ES256'))
  const again = async (call) => {
    try {
      return await call()
    } catch (problem) {
      if (!oauth.isDPoPNonceError(problem)) throw problem
      return call()
    }
  }
  const device = told.kind === 'device'
  const response = device
    ? await oauth.processDeviceAuthorizationResponse(server, who, await oauth.deviceAuthorizationRequest(server, who, method, asked))
    : await oauth.processBackchannelAuthenticationResponse(server, who,
      await oauth.backchannelAuthenticationRequest(server, who, method, asked))
  say(response)
  await decided()
  const tokens = await again(async () => device
    ? oauth.processDeviceCodeResponse(server, who,
      await oauth.deviceCodeGrantRequest(server, who, method, response.device_code, { DPoP }))
    : oauth.processBackchannelAuthenticationGrantResponse(server, who,
      await oauth.backchannelAuthenticationGrantRequest(server, who, method, response.auth_req_id, { DPoP })))
  const prefill = new URL(server.prefill_endpoint)
  return outcome(tokens, oauth.getValidatedIdTokenClaims(tokens), await answer(() => again(
    () => oauth.protectedResourceRequest(tokens.access_token, 'GET', prefill, undefined, undefined, { DPoP }))))
}

const got = await answer(told.library === 'openid-client' ? with_openid_client : with_oauth4webapi)
say(got.status === 200 ? got.body : { refused: got })
