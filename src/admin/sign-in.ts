// Signing in and out of the dashboard. Programs never need this: they send their token with each call.

import { GatewayError } from '../gemini/errors.ts'
import type { Settings } from '../settings.ts'
import { sessionCookie } from './caller.ts'
import { signInPage } from './dashboard/sign-in-page.ts'
import { type Call, type Endpoint, json, type Reply, wantsPage } from './endpoint.ts'
import type { Guard } from './guard.ts'
import { readToken } from './input.ts'

// A form with one token in it.
const bodyLimit = 4_096

export function signInEndpoints(guard: Guard, settings: Settings): Endpoint[] {
  return [
    { method: 'POST', url: '/login', access: 'open', bodyLimit, answer: login },
    { method: 'POST', url: '/logout', access: 'open', bodyLimit, answer: logout },
  ]

  function login(call: Call): Reply {
    try {
      const token = readToken(call.body, call.knock.headers['content-type'])
      const { id, who } = guard.login(token, call.knock)
      const seconds = Math.floor(settings.current.admin.session / 1000)
      const reply = wantsPage(call) ? backToDashboard() : json({ signedIn: true })
      return { ...withCookie(reply, call, id, seconds), who }
    } catch (error) {
      if (!(error instanceof GatewayError) || !wantsPage(call)) throw error
      return signInPage(error)
    }
  }

  function logout(call: Call): Reply {
    guard.logout(call.knock)
    return withCookie(wantsPage(call) ? backToDashboard() : json({ signedIn: false }), call, '', 0)
  }

  /**
   * No Path on purpose: a browser then takes the directory of this URL as it sees it, which is the dashboard, whatever path a proxy in front
   * has put before it (RFC 6265 §5.1.4).
   */
  function withCookie(reply: Reply, { knock }: Call, id: string, seconds: number): Reply {
    const secure = knock.isHttps ? '; Secure' : ''
    const cookie = `${sessionCookie}=${id}; Max-Age=${seconds}; HttpOnly; SameSite=Strict${secure}`
    return { ...reply, headers: { ...reply.headers, 'set-cookie': cookie } }
  }
}

function backToDashboard(): Reply {
  return { status: 303, headers: { location: './' }, body: '' }
}
