import type { AdminRoute } from './route.ts'

/** docs/admin.md, with the table of routes as they are. */
export function adminDocs(routes: readonly AdminRoute[]): string {
  const rows = routes.map(
    ({ method, path, scope, summary }) => `| ${method} \`${path}\` | ${scope} | ${summary.replaceAll('|', '\\|')} |`,
  )
  return `# For operators: dashboard and admin API

Generated from src/admin/ by \`npm run docs\`.

![The dashboard, with sample data](dashboard-light.png)

Everything is under \`admin.prefix\` (default \`/api/ai-engine/optimization\`). \`/openapi.json\` at the root describes it for programs.

\`\`\`sh
export CASTOR=http://127.0.0.1:8080/api/ai-engine/optimization
curl $CASTOR/service/health/                                   # on this machine, without a token set
curl $CASTOR/config/ -H "Authorization: Bearer $CASTOR_ADMIN_TOKEN"
curl -X POST $CASTOR/config/reload/ -H "Authorization: Bearer $CASTOR_ADMIN_TOKEN"
\`\`\`

| route | scope | what it does |
|---|---|---|
${rows.join('\n')}

Every route answers with and without its last slash. Bodies are JSON and say so (\`Content-Type: application/json\`). A parameter or field that a
route does not know is refused, with the name that was probably meant. Errors have the shape of Gemini's, see [errors.md](errors.md); \`details\`
names the field.

## Who may do what

- **\`admin.token\`** opens everything (scope operate). **\`admin.readToken\`** opens what has scope read. Both are sent as \`Authorization: Bearer …\`;
  make them with \`openssl rand -base64 32\`.
- **Without a token** only callers on this machine are let in: the connection comes over loopback, asks for 127.0.0.1, [::1] or localhost, and has
  passed no proxy. The gateway refuses to start when the admin API could be reached from elsewhere and has no token, or a short one.
- **The dashboard** asks for a token once and then knows the browser by a cookie (HttpOnly, SameSite=Strict, for \`admin.session\`). The session is
  worth what the token was, and ends with it. Sessions are of one process: behind a balancer, keep a browser on one replica.
- **Other web pages** can do nothing through an operator's browser: what changes something needs the token itself, or a page of the gateway's
  own origin.
- **Guessing**: after ten wrong tokens from one address (one /64 of IPv6) that address waits, six seconds for each further attempt.
- **A proxy in front** has to pass on \`Host\`, or \`server.publicUrl\` has to be set; otherwise signing in looks like a page of another origin.

## A listener of its own

\`\`\`yaml
admin:
  listen: 127.0.0.1:9090
\`\`\`

Then the admin API, the dashboard, \`/openapi.json\` and \`/metrics\` answer there and nowhere else; clients of the Gemini API get a 404 for them.
Health is on both. Settings of \`server\` (TLS, time limits, trusted proxies, base path) hold for it too. It stays up while the gateway drains.

## What is written down

Every call that changes something, every one that tries to, and every wrong token is one line of the log, under \`audit\`: when, who (token, read
token, session, loopback, nobody), from which address, which route, with what outcome. Never a token and never a body. The latest 500 are
under \`/audit/\` too.

## The dashboard

One page, rendered by the gateway; it loads nothing from elsewhere and works without the script, only still. Figures of the last hour are
kept in memory by each process and begin anew with it. Grades follow these thresholds: hit rate above 60 %, excellent above 80 %; error rate below
5 %, 1 %; response time (median) below 2 s, 1 s; cost per call below $0.01, $0.001. The list of latest calls shows who asked which model and how it
went, never what was said.

## Adding to it

A domain with something to show or to do adds

- a **route** to \`src/admin/routes.ts\` with \`defineRoute\` (method, path, scope, schemas, handler); guard, audit, checks and documentation come by themselves;
- its **health** by \`house.desk.parts.set(name, () => ({ status: 'ok', … }))\`;
- its part of the **dashboard** by \`house.desk.sources.<name> = () => …\` (\`src/admin/dashboard/sources.ts\`); a section is shown once its source is there.
`
}
