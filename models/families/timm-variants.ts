import type { Evidence } from './evidence.ts';

/** Parts of timm's names of networks that have other pools than the plain ones, with the same keys and shapes. */
const pools = { blur: /^res(net|next)blur/, average: /^res(net|next)aa/ } as const;

/** Which pools the `config.json` beside a network of timm says that it has. */
export function poolsOf({ configuration }: Evidence): keyof typeof pools | undefined {
  const architecture = configuration?.architecture ?? '';
  return (Object.keys(pools) as (keyof typeof pools)[]).find((kind) => pools[kind].test(architecture));
}

/** Whether a `config.json` names another network of timm than the plain one with these keys. */
export function isVariant({ configuration }: Evidence): boolean {
  const architecture = configuration?.architecture;
  if (architecture === undefined) return false;
  return !/^(tv_|gluon_|ssl_|swsl_|ig_)?(wide_)?(resnet|resnext)\d+(_\d+x\d+d|_\d+|_v1[bcdes])?[cdst]?(_\d+x\d+d)?$/.test(
    architecture,
  );
}
