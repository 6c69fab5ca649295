/** What a checkpoint shows of its origin beside keys and shapes. */
export interface Evidence {
  readonly format?: 'zip' | 'legacy' | 'safetensors';
  /** The keys that led to the weights: `net`. */
  readonly wrapper?: string;
  /** Every place in the file that holds weights: `state_dict`, `ema_state_dict`. */
  readonly sets?: readonly string[];
  /** What every key began with: `module.`. */
  readonly prefix?: string;
  /** The keys of the mean and the standard deviation of images, where the file holds them. */
  readonly normalization?: readonly string[];
  /** The `config.json` beside it. */
  readonly configuration?: Configuration;
  /** The modules by their paths, where the file holds the network itself and not its weights alone. */
  readonly modules?: ReadonlyMap<string, ModuleFacts>;
}

/** What a `config.json` of timm or transformers says that a network depends on. */
export interface Configuration {
  /** timm's name: `resnet50`. */
  readonly architecture?: string;
  /** What timm's network is made with otherwise than its name says: `act_layer "silu"`. */
  readonly options?: readonly string[];
  /** Height and width in timm's `pretrained_cfg`. */
  readonly inputSize?: readonly [number, number];
  /** transformers' name of the model's kind: `resnet`. */
  readonly modelType?: string;
  readonly activation?: string;
  readonly downsampleInFirstStage?: boolean;
  readonly downsampleInBottleneck?: boolean;
}

/** A module of a pickled network. */
export interface ModuleFacts {
  /** Its class: `torch.nn.modules.conv.Conv2d`. */
  readonly type: string;
  /** Its attributes that are numbers, booleans, texts, or lists of numbers. */
  readonly attributes: ReadonlyMap<string, number | boolean | string | readonly number[]>;
}
