// Web sites that agencies run on Express: one signs people in with Auth.js, one with Passport's OpenID Connect strategy, each as its
// documentation does it. Both say who is there at /me.
import { ExpressAuth, getSession } from '@auth/express'
import express from 'express'
import session from 'express-session'
import passport from 'passport'
import OpenIDConnectStrategy from 'passport-openidconnect'
import { read, say } from './story.mjs'

const told = read()
const origin = `http://127.0.0.1:${told.port}`
const app = express()
app.disable('x-powered-by')

function authjs() {
  const config = {
    trustHost: true,
    basePath: '/auth',
    secret: told.session_secret,
    providers: [
      {
        id: 'semel',
        name: 'Semel',
        type: 'oidc',
        issuer: told.issuer,
        clientId: told.client_id,
        clientSecret: told.secret,
        checks: ['pkce', 'state', 'nonce'],
        authorization: { params: { scope: told.scope } },
        idToken: false, // name and email come from UserInfo
      },
    ],
  }
  app.use(/^\/auth\/(.*)/, ExpressAuth(config))
  app.get('/me', async (request, response) => {
    const found = await getSession(request, config)
    response.status(found ? 200 : 401).json(found?.user ?? {})
  })
}

function passportjs() {
  const verify = (issuer, profile, done) => done(null, { issuer, ...profile })
  const known = {
    issuer: told.issuer,
    authorizationURL: told.metadata.authorization_endpoint,
    tokenURL: told.metadata.token_endpoint,
    userInfoURL: told.metadata.userinfo_endpoint,
    clientID: told.client_id,
    clientSecret: told.secret,
    callbackURL: `${origin}/callback`,
    scope: told.scope.split(' ').filter((word) => word !== 'openid'), // it adds that one itself
    nonce: true,
    skipUserProfile: false, // name and email come from UserInfo
  }
  passport.use(new OpenIDConnectStrategy(known, verify))
  passport.serializeUser((user, done) => done(null, user))
  passport.deserializeUser((user, done) => done(null, user))
  app.use(session({ secret: told.session_secret, resave: false, saveUninitialized: false }))
  app.use(passport.authenticate('session'))
  app.get('/sign-in', passport.authenticate('openidconnect'))
  app.get('/callback', passport.authenticate('openidconnect', { successRedirect: '/me', failureRedirect: '/me' }))
  app.get('/me', (request, response) => response.status(request.user ? 200 : 401).json(request.user ?? {}))
}

if (told.library === 'passport') passportjs()
else authjs()
app.listen(told.port, '127.0.0.1', () => say({ listening: origin }))
