import { errorTable, type GatewayError } from '../../gemini/errors.ts'
import type { Reply } from '../endpoint.ts'
import { html } from './html.ts'
import { page } from './layout.ts'

/**
 * The page that asks for the admin token, with the status of the refusal that led to it.
 * @param base path of the prefix as seen from the page: '' under its last slash
 */
export function signInPage(error: GatewayError, base = ''): Reply {
  const { http } = errorTable[error.reason]
  const headers: Record<string, string> = http === 401 ? { 'www-authenticate': 'Bearer realm="castor"' } : {}
  if (error.retryAfterSeconds !== null) headers['retry-after'] = String(error.retryAfterSeconds)
  const body = html`
    <main class="sign-in">
      <h1>Castor</h1>
      <form method="post" action="${base}login">
        <label for="token">Admin token</label>
        <input id="token" name="token" type="password" autocomplete="current-password" required autofocus
          aria-describedby="message">
        <p id="message" role="status">${error.message}</p>
        <button>Sign in</button>
      </form>
    </main>`
  return page({ title: 'Sign in', base, status: http, headers, body })
}
