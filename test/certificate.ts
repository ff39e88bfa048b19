/** Certificates made on the spot, so that no test depends on openssl or on a file that expires. */
import { generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto'

export interface Certificate {
  cert: string
  key: string
}

export interface CertificateOptions {
  /** DNS name or IPv4 address it is for */
  host: string
  /** validity from now on, in ms; a negative one has expired that long ago */
  validMs?: number
  /** who signs; default: itself */
  issuer?: Certificate & { name: string; privateKey: KeyObject }
}

/** An X.509 v3 certificate (RFC 5280 §4.1) with an EC key. */
export function makeCertificate({ host, validMs = 86_400_000, issuer }: CertificateOptions): Certificate & {
  name: string
  privateKey: KeyObject
} {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const until = Date.now() + validMs
  const signedWithSha256 = sequence(oid('2a8648ce3d040302'))
  const body = sequence(
    tagged(0xa0, integer(Buffer.of(2))),
    integer(Buffer.concat([Buffer.of(1), randomBytes(8)])),
    signedWithSha256,
    name(issuer?.name ?? host),
    sequence(time(until - 86_400_000 - Math.abs(validMs)), time(until)),
    name(host),
    publicKey.export({ type: 'spki', format: 'der' }),
    tagged(
      0xa3,
      sequence(
        extension('551d11', sequence(alternativeName(host))),
        extension('551d13', sequence(...(issuer === undefined ? [tagged(0x01, Buffer.of(0xff))] : []))),
      ),
    ),
  )
  const signature = sign('sha256', body, issuer?.privateKey ?? privateKey)
  const der = sequence(body, signedWithSha256, tagged(0x03, Buffer.of(0), signature))
  const lines = der.toString('base64').replace(/.{64}/g, '$&\n').trimEnd()
  return {
    name: issuer?.name ?? host,
    privateKey,
    cert: `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`,
    // EC keys export as text in this format.
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
  }
}

/** DER (X.690): tag, length, contents. */
function tagged(tag: number, ...contents: Buffer[]): Buffer {
  const body = Buffer.concat(contents)
  const { length } = body
  const size = length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, length >> 8, length & 255]
  return Buffer.concat([Buffer.of(tag, ...size), body])
}

function sequence(...contents: Buffer[]): Buffer {
  return tagged(0x30, ...contents)
}

function integer(bytes: Buffer): Buffer {
  return tagged(0x02, bytes)
}

function oid(hex: string): Buffer {
  return tagged(0x06, Buffer.from(hex, 'hex'))
}

function name(text: string): Buffer {
  return sequence(tagged(0x31, sequence(oid('550403'), tagged(0x0c, Buffer.from(text)))))
}

function time(ms: number): Buffer {
  const text = new Date(ms).toISOString().replace(/[-:T]|\.\d+/g, '')
  return tagged(0x18, Buffer.from(text))
}

function extension(id: string, value: Buffer): Buffer {
  return sequence(oid(id), tagged(0x04, value))
}

function alternativeName(host: string): Buffer {
  const isAddress = /^\d+\.\d+\.\d+\.\d+$/.test(host)
  return isAddress ? tagged(0x87, Buffer.from(host.split('.').map(Number))) : tagged(0x82, Buffer.from(host))
}
