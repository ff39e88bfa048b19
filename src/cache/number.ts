/**
 * One spelling for each decimal number: `1`, `1.0`, `10e-1` become `1`. Works on the digits, because a JavaScript
 * number would fold 12345678901234567890 and 12345678901234567000 into one.
 * @param text a valid JSON number
 * @returns `[-]digits` or `[-]digits e exponent` without leading or trailing zeros; -0 stays apart from 0
 */
export function canonicalNumber(text: string): string {
  if (/^-?(?:0|[1-9][0-9]*)$/.test(text) && !text.endsWith('0')) return text
  const match = /^(-?)([0-9]+)(?:\.([0-9]+))?(?:[eE]([+-]?[0-9]+))?$/.exec(text)
  // Sixteen digits of exponent name no number anybody means; such a text stays itself.
  if (match === null || (match[4] ?? '').length > 15) return text
  const [, sign = '', whole = '', fraction = '', exponent = '0'] = match
  const digits = (whole + fraction).replace(/^0+/, '')
  const kept = digits.replace(/0+$/, '')
  if (kept === '') return `${sign}0`
  const scale = Number(exponent) - fraction.length + (digits.length - kept.length)
  return scale === 0 ? sign + kept : `${sign}${kept}e${scale}`
}
