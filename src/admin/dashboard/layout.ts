import type { Reply } from '../endpoint.ts'
import { pageHeaders } from '../headers.ts'
import { assetUrl } from './assets.ts'
import { type Html, html } from './html.ts'

export interface Page {
  title: string
  /** path of the prefix as seen from the page: '' under its last slash */
  base: string
  body: Html
  status?: number
  headers?: Record<string, string>
}

/** A whole page. Its links are relative, so that it works under whatever path a proxy in front gives it. */
export function page({ title, base, body, status = 200, headers = {} }: Page): Reply {
  const document = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<title>${title} · Castor</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="${assetUrl('chartStyles', base)}">
<link rel="stylesheet" href="${assetUrl('styles', base)}">
<script defer src="${assetUrl('chartScript', base)}"></script>
<script defer src="${assetUrl('script', base)}"></script>
</head>
<body>
${body}
</body>
</html>
`
  return {
    status,
    headers: { 'content-type': 'text/html; charset=utf-8', ...pageHeaders, ...headers },
    body: document.text,
  }
}
