import { akamaster } from './akamaster.ts';
import { bearpaw } from './bearpaw.ts';
import type { PublishedFamily } from './family.ts';
import { kuangliu } from './kuangliu.ts';
import { odin } from './odin.ts';
import { openood } from './openood.ts';
import { original } from './original.ts';
import { robustbench } from './robustbench.ts';
import { chengyangfu, chenyaofo, detectors, huyvnphan, soloLearn } from './small-images.ts';
import { timm } from './timm.ts';
import { torchvision } from './torchvision.ts';
import { transformers } from './transformers.ts';
import { weiaicunzai } from './weiaicunzai.ts';
import { meliketoy, wideResNets } from './wide-resnet.ts';

/** Every family whose checkpoints are read. Of those that compute the same, the first gives its name and its images. */
export const families: readonly PublishedFamily[] = [
  ...original,
  ...torchvision,
  ...timm,
  ...transformers,
  ...kuangliu,
  ...chenyaofo,
  ...huyvnphan,
  ...weiaicunzai,
  ...openood,
  ...wideResNets,
  ...meliketoy,
  ...bearpaw,
  ...odin,
  ...robustbench,
  ...akamaster,
  ...chengyangfu,
  ...detectors,
  ...soloLearn,
];
