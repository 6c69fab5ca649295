import { type Advice, adviceText, type CommandAdvice, type OptionAdvice } from '../index.ts';

/** Advice with its options and commands as they are typed. */
export function typedAdvice(advice: Advice): string {
  return adviceText(advice, { option: typedOption, command: typedCommand });
}

/** `--early-exit`, `--batch 8` */
export function typedOption({ option, value }: OptionAdvice): string {
  const flag = `--${option.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
  return value === undefined ? flag : `${flag} ${value}`;
}

function typedCommand({ command, takes }: CommandAdvice): string {
  const taken = takes.map((one) => (typeof one === 'string' ? one : typedOption(one)));
  return ['npx la-ood', command, ...taken].join(' ');
}
