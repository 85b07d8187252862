/** `$(NAME)` in commands, arguments and values; `$$` is one dollar sign; unknown names stay as written. */

export function expand(text: string, valueOf: (name: string) => string | undefined): string {
  if (!text.includes('$')) return text;
  return text.replace(/\$(?:\$|\(([^)]*)\))/g, (whole, name: string | undefined) => {
    if (name === undefined) return '$';
    return valueOf(name) ?? whole;
  });
}

/** For `subPathExpr`, where an unknown name is an error. @throws Error */
export function expandStrictly(text: string, valueOf: (name: string) => string | undefined): string {
  const missing: string[] = [];
  const expanded = expand(text, (name) => {
    const value = valueOf(name);
    if (value === undefined) missing.push(name);
    return value;
  });
  if (missing.length > 0) throw new Error(`missing value for "${missing[0]}"`);
  return expanded;
}
