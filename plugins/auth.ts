// Auth: who asks? First stage of the pipeline: nothing may be read, counted or looked up for somebody unknown. Uses only the request
// line and the headers, so a stranger's body is never read.
import fp from 'fastify-plugin'
import { resolveAuthMode } from '../config/mode.ts'
import { type Authentication, type Authenticator, createAuthenticator, type MintedTokens } from '../src/auth/caller.ts'

declare module 'fastify' {
  interface FastifyInstance {
    authenticator: { readonly current: Authenticator }
  }
  interface FastifyRequest {
    /** who asks, and with which credentials the call goes up; null before auth */
    authentication: Authentication | null
  }
}

export default fp(
  async function auth(app) {
    const { settings, secret, readTarget } = app.castor
    // Tokens minted before a reload are as good after it.
    const tokens: MintedTokens = new Map()
    const make = () => createAuthenticator(settings.current, resolveAuthMode(settings.current), secret, tokens)
    const authenticator = { current: make() }
    settings.onChange(() => {
      authenticator.current = make()
    })
    app.decorate('authenticator', authenticator)
    app.decorateRequest('authentication', null)

    app.addHook('onRequest', function authenticate(request, _reply, done) {
      try {
        const target = readTarget(request.method, request.raw.url as string)
        request.target = target
        request.authentication = authenticator.current.authenticate(request.headers, target, request.method)
        done()
      } catch (error) {
        done(error as Error)
      }
    })
  },
  { name: 'castor-auth', dependencies: ['castor-edge'] },
)
