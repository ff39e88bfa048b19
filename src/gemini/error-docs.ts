import { errorTable } from './errors.ts'

/** docs/errors.md, rendered from the table of errors. */
export function errorDocs(): string {
  const rows = Object.entries(errorTable).map(
    ([reason, { http, status, when, remedy }]) => `| \`${reason}\` | ${http} | \`${status}\` | ${when} | ${remedy} |`,
  )
  return `# Errors that Castor makes

Generated from src/gemini/errors.ts by \`npm run docs\`.

Gemini's own errors pass through unchanged, byte for byte. An error made by Castor has the same shape; its \`ErrorInfo\` detail names the
reason below and the domain \`castor\`. Under \`/openai/\` it is OpenAI's error object with the reason as its \`code\`. For
\`streamGenerateContent\` without \`alt=sse\` it is wrapped in an array, as Gemini wraps its own.

\`\`\`json
{
  "error": {
    "code": 503,
    "message": "Gemini cannot be reached at the moment. Please retry.",
    "status": "UNAVAILABLE",
    "details": [
      { "@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "CASTOR_UPSTREAM_UNREACHABLE", "domain": "castor" },
      { "@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "1s" }
    ]
  }
}
\`\`\`

A stream that breaks after its first event cannot change its status any more. It ends the way Google ends one: with the error as raw,
pretty-printed JSON after the last event, and about 0.7 s later the connection is destroyed. Every SDK reports that as an error; a clean end
would be taken for a complete answer.

| reason | HTTP | status | when | what to do |
|---|---|---|---|---|
${rows.join('\n')}
`
}
