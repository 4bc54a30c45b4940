"""``lens.toml`` and the environment → frozen ``Settings``, parsed once.

``LENS_CONFIG`` names the file (else ``lens.toml`` in the working folder), ``LENS_HOME`` the home
folder (else ``data/home`` beside the file). ``LENS_LOAD__RATE_PER_S=50`` and the like override
single values of the tables.
"""

import hashlib
import json
import tomllib
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from lens_core.drills.drill import DrillRules
from lens_core.errors import InvalidInput
from lens_core.gates import Bound, Gate, Policy
from lens_core.model import Digest
from lens_core.places import config_file, home_folder
from lens_core.rounds import LatencyRules
from lens_core.signoff.words import FactorRule, Person, PlanRule, Role, SignoffRules, Stage
from lens_core.supply import canonical
from lens_core.supply.candidate import CutRules
from lens_core.supply.words import Severity

PositiveFloat = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class GateSettings(_Table):
    """One ``[[policy.gates]]`` table: exactly one of the three bounds."""

    name: str
    at_most: float | None = Field(default=None, allow_inf_nan=False)
    at_least: float | None = Field(default=None, allow_inf_nan=False)
    below: float | None = Field(default=None, allow_inf_nan=False)
    min_samples: int = Field(ge=1)
    needs_baseline: bool = False
    interval: bool = False

    @model_validator(mode="after")
    def _one_bound(self) -> Self:
        if len(self._bounds()) != 1:
            raise ValueError(f"gate {self.name} needs exactly one of at_most, at_least, below")
        return self

    def _bounds(self) -> list[tuple[Bound, float]]:
        given = ((bound, getattr(self, bound.value)) for bound in Bound)
        return [(bound, value) for bound, value in given if value is not None]

    def gate(self) -> Gate:
        """The gate that this table describes."""
        [(bound, threshold)] = self._bounds()
        return Gate(self.name, bound, threshold, self.min_samples, self.needs_baseline, self.interval)


class LatencySettings(_Table):
    """``[policy.latency]``: how latency is measured, and how sure a verdict must be; see ``LatencyRules``."""

    alpha: Annotated[float, Field(gt=0, lt=0.5)]
    looks: int = Field(ge=1, le=10)
    min_blocks: int = Field(ge=2)
    max_blocks: int = Field(ge=2)
    max_design_effect: PositiveFloat
    pane_seconds: PositiveFloat
    control_rate_per_s: PositiveFloat
    stall_ms: PositiveFloat
    max_set_aside: Annotated[float, Field(ge=0, lt=1)]
    max_send_lag: PositiveFloat
    min_achieved_rate: Share

    @model_validator(mode="after")
    def _blocks_in_order(self) -> Self:
        if self.min_blocks > self.max_blocks:
            raise ValueError(f"min_blocks {self.min_blocks} is above max_blocks {self.max_blocks}")
        return self


class PolicySettings(_Table):
    """``[policy]``: what a night is judged by."""

    latency: LatencySettings
    gates: tuple[GateSettings, ...] = Field(min_length=1)
    first_release: str = ""
    not_yet_measured: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _names_are_unique(self) -> Self:
        names = [gate.name for gate in self.gates]
        if len(names) != len(set(names)):
            raise ValueError("two gates have the same name")
        return self

    def policy(self) -> Policy:
        """The policy as the pure core knows it."""
        gates = tuple(gate.gate() for gate in self.gates)
        return Policy(gates, self.first_release, LatencyRules(**self.latency.model_dump()))


class LoadSettings(_Table):
    """``[load]``: how the service is asked."""

    rate_per_s: PositiveFloat
    warmup_requests: int = Field(ge=0)
    request_timeout_s: PositiveFloat
    questions_per_class: int = Field(ge=1, le=300)
    leak_probes: int = Field(ge=1)


class ServiceSettings(_Table):
    """``[service]``: how the service under test is started, and what it may use."""

    index: tuple[str, ...] = Field(min_length=1)
    serve: tuple[str, ...] = Field(min_length=1)
    cores: PositiveFloat
    memory_budget_mb: PositiveFloat
    start_timeout_s: PositiveFloat
    index_timeout_s: PositiveFloat


class NightSettings(_Table):
    """``[night]``: how long notebooks may take."""

    cell_timeout_s: PositiveFloat
    start_timeout_s: PositiveFloat


class LogSettings(_Table):
    """``[monitor.access_log]``: the names of a line's fields."""

    time: str = Field(min_length=1)
    slice: str = Field(min_length=1)
    latency_ms: str = Field(min_length=1)
    http_code: str


class PrometheusSettings(_Table):
    """``[monitor.prometheus]``: which histogram is scraped."""

    metric: str = Field(min_length=1)
    unit_ms: PositiveFloat
    slice_label: str
    labels: dict[str, str]
    every_s: PositiveFloat
    timeout_s: PositiveFloat


class MonitorSettings(_Table):
    """``[monitor]``: what live traffic is watched by. It judges no night, so no night is bound to it."""

    sources: tuple[str, ...]
    slices: tuple[str, ...]
    window_s: int = Field(ge=1)
    every_s: int = Field(ge=1)
    ratio_above: PositiveFloat
    critical_above: PositiveFloat
    escalate_after: int = Field(ge=1)
    resolve_after: int = Field(ge=1)
    resolve_below_share: float = Field(gt=0, le=1)
    min_samples: int = Field(ge=1)
    max_bad_share: float = Field(ge=0, lt=1)
    silent_after: int = Field(ge=1)
    lateness_s: float = Field(ge=0, allow_inf_nan=False)
    skew_s: PositiveFloat
    idle_after_s: PositiveFloat
    clock_jump_s: PositiveFloat
    poll_s: PositiveFloat
    host: str = Field(min_length=1)
    port: int = Field(ge=0, le=65535)
    notify: tuple[str, ...]
    notify_timeout_s: PositiveFloat
    retry_first_s: PositiveFloat
    retry_most_s: PositiveFloat
    access_log: LogSettings
    prometheus: PrometheusSettings

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.window_s % self.every_s:
            raise ValueError("window_s must be a multiple of every_s, so that a window is whole panes")
        if self.critical_above < self.ratio_above:
            raise ValueError("critical_above is below ratio_above")
        if len(set(self.notify)) != len(self.notify):
            raise ValueError("notify names a target twice")
        return self


class CutPolicySettings(_Table):
    """``[cut.policy]``: what a candidate is judged by when it is cut; see ``CutRules``."""

    line_coverage: Share
    type_coverage: Share
    scanners: tuple[str, ...] = Field(min_length=1)
    fail_at: Severity
    max_data_age_days: PositiveFloat
    not_yet_measured: tuple[str, ...] = ()

    def rules(self) -> CutRules:
        """The rules as the pure core knows them."""
        return CutRules(**self.model_dump())


class CutSettings(_Table):
    """``[cut]``: with what a candidate is built, scanned and pushed."""

    policy: CutPolicySettings
    engine: str
    engine_timeout_s: PositiveFloat
    base_image: str
    registry: str
    repository: Annotated[str, Field(pattern=r"^[a-z0-9]+([._/-][a-z0-9]+)*$")]
    registry_timeout_s: PositiveFloat
    scan_timeout_s: PositiveFloat
    osv_dir: str
    osv_api: str
    debian_archive: bool
    advisories_timeout_s: PositiveFloat
    waivers: Path
    builder_id: str = Field(min_length=1)

    @property
    def policy_record(self) -> bytes:
        """Everything that can change a candidate's verdict, as canonical JSON."""
        return canonical.encode(self.policy.model_dump(mode="json"))


class DrillSettings(_Table):
    """``[drill]``: what a compatibility drill is judged by, and how long it may take; see ``DrillRules``."""

    top_k: int = Field(ge=1)
    min_questions: int = Field(ge=1)
    ranking_boundaries: tuple[str, ...]
    max_differing_share: Share
    min_agreement: Share
    accept_copy_first: bool
    step_timeout_s: PositiveFloat
    cell_timeout_s: PositiveFloat

    def rules(self) -> DrillRules:
        """The rules as the pure core knows them."""
        return DrillRules(**self.model_dump(exclude={"step_timeout_s", "cell_timeout_s"}))


class PersonSettings(_Table):
    """One ``[[signoff.people]]`` table; see ``Person``."""

    name: str = Field(min_length=1)
    roles: tuple[Role, ...] = ()
    emails: tuple[str, ...] = ()


class FactorSettings(_Table):
    """One ``[[signoff.factors]]`` table; see ``FactorRule``."""

    name: str
    weight: PositiveFloat
    medium_at: float = Field(allow_inf_nan=False)
    high_at: float = Field(allow_inf_nan=False)
    mitigation: str = Field(min_length=1)
    decisive: bool = False
    without_data: Literal["medium", "high"] = "medium"

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.medium_at > self.high_at:
            raise ValueError(f"factor {self.name}: medium_at is above high_at")
        return self


class StageSettings(_Table):
    """One stage of a plan."""

    percent: float = Field(gt=0, le=100)
    soak_minutes: float = Field(ge=0, allow_inf_nan=False)


class PlanSettings(_Table):
    """``[signoff.plans.<risk>]``: what a risk makes of the rollout."""

    stages: tuple[StageSettings, ...] = Field(min_length=1)
    watch_hours: PositiveFloat

    @model_validator(mode="after")
    def _to_all(self) -> Self:
        percents = [stage.percent for stage in self.stages]
        if percents != sorted(set(percents)) or percents[-1] != 100:  # noqa: PLR2004  (all of the traffic)
            raise ValueError("stages must rise, and end at 100 percent")
        return self

    def rule(self) -> PlanRule:
        """The plan as the pure core knows it."""
        stages = tuple(Stage(one.percent, timedelta(minutes=one.soak_minutes)) for one in self.stages)
        return PlanRule(stages, timedelta(hours=self.watch_hours))


class SignoffSettings(_Table):
    """``[signoff]``: who must agree, on what, and for how long it holds; see ``SignoffRules``."""

    nights: int = Field(ge=1)
    max_nights: int = Field(ge=1)
    max_streak_age_days: PositiveFloat
    grace_hours: float = Field(ge=0, allow_inf_nan=False)
    recommended_after_hours: float = Field(ge=0, allow_inf_nan=False)
    approval_hours: Annotated[float, Field(gt=0, le=72)]
    scan_hours: PositiveFloat
    break_glass_minutes: Annotated[float, Field(gt=0, le=60)]
    review_days: PositiveFloat
    clock_skew_s: float = Field(ge=0, allow_inf_nan=False)
    lifts: tuple[str, ...]
    medium_at: Share
    high_at: Share
    allowed_signers: Path
    revoked_keys: str
    portal_signs: bool
    people: tuple[PersonSettings, ...]
    factors: tuple[FactorSettings, ...] = Field(min_length=1)
    plans: dict[Literal["low", "medium"], PlanSettings]

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.nights > self.max_nights:
            raise ValueError("nights is above max_nights")
        if self.medium_at > self.high_at:
            raise ValueError("medium_at is above high_at")
        if {"low", "medium"} - self.plans.keys():
            raise ValueError("plans must say what low and medium risk make of the rollout")
        for what, names in (
            ("person", [person.name for person in self.people]),
            ("address", [email.casefold() for person in self.people for email in person.emails]),
            ("factor", [factor.name for factor in self.factors]),
        ):
            if len(names) != len(set(names)):
                raise ValueError(f"a {what} is named twice")
        return self

    @property
    def digest(self) -> Digest:
        """Digest of the whole table: an approval is bound to it."""
        record = canonical.encode(self.model_dump(mode="json"))
        return Digest("sha256:" + hashlib.sha256(record).hexdigest())

    def rules(self, slices: tuple[str, ...]) -> SignoffRules:
        """The rules as the pure core knows them; a night must be of all ``slices``."""
        return SignoffRules(
            nights=self.nights,
            max_nights=self.max_nights,
            max_streak_age=timedelta(days=self.max_streak_age_days),
            grace=timedelta(hours=self.grace_hours),
            recommended_after=timedelta(hours=self.recommended_after_hours),
            approval_ttl=timedelta(hours=self.approval_hours),
            scan_ttl=timedelta(hours=self.scan_hours),
            break_glass_ttl=timedelta(minutes=self.break_glass_minutes),
            review_within=timedelta(days=self.review_days),
            clock_skew=timedelta(seconds=self.clock_skew_s),
            lifts=self.lifts,
            factors=tuple(FactorRule(**factor.model_dump()) for factor in self.factors),
            medium_at=self.medium_at,
            high_at=self.high_at,
            plans={risk: plan.rule() for risk, plan in self.plans.items()},
            people=tuple(Person(one.name, one.roles, one.emails) for one in self.people),
            slices=slices,
            digest=str(self.digest),
        )


class AuditSettings(_Table):
    """``[audit]``: where the head of the audit log is kept outside of the database."""

    anchors: tuple[str, ...]
    every_s: PositiveFloat
    timeout_s: PositiveFloat
    key_folder: str


class Settings(BaseSettings):
    """Everything that Lens is told from outside."""

    model_config = SettingsConfigDict(
        extra="forbid", frozen=True, env_prefix="LENS_", env_nested_delimiter="__", env_ignore_empty=True
    )
    # The file is chosen per call, and pydantic-settings asks the class for its sources.
    _file: ClassVar[Path]

    policy: PolicySettings
    load: LoadSettings
    service: ServiceSettings
    night: NightSettings
    monitor: MonitorSettings
    cut: CutSettings
    drill: DrillSettings
    signoff: SignoffSettings
    audit: AuditSettings
    home: Path = Path("data/home")
    # Named in the environment only; accepted here so that LENS_CONFIG is no unknown setting.
    config: Path = Path("lens.toml")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003  (the signature is the library's)
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments over environment over ``lens.toml``."""
        return (init_settings, env_settings, TomlConfigSettingsSource(settings_cls, cls._file))

    @property
    def root(self) -> Path:
        """The folder of ``lens.toml``: notebooks and data are found from here."""
        return self.config.parent

    @property
    def policy_record(self) -> str:
        """Everything that can change a verdict (gates, load, the service's budget) as canonical JSON."""
        parts: dict[str, Any] = {
            "policy": self.policy.model_dump(mode="json"),
            "load": self.load.model_dump(mode="json"),
            "service": self.service.model_dump(mode="json"),
        }
        return json.dumps(parts, sort_keys=True, indent=1) + "\n"

    @property
    def policy_digest(self) -> Digest:
        """Digest of ``policy_record``: what a night is bound to."""
        return Digest("sha256:" + hashlib.sha256(self.policy_record.encode()).hexdigest())


def read_policy(record: str) -> Policy:
    """The policy of a ``policy_record``; InvalidInput when it is none."""
    try:
        return PolicySettings.model_validate(json.loads(record)["policy"]).policy()
    except (ValueError, KeyError, TypeError) as error:
        raise InvalidInput(f"this is no recorded policy: {error}") from error


def load_settings(home: Path | None = None, config: Path | None = None) -> Settings:
    """Read the settings; InvalidInput names the file and each value that is wrong."""
    file = config_file(config)
    if not file.is_file():
        raise InvalidInput(
            f"expected the configuration at {file}, saw no such file",
            "run lens from the project's folder, or name the file in LENS_CONFIG",
        )
    Settings._file = file  # noqa: SLF001  (its own class attribute)
    try:
        return Settings(home=home_folder(home, file), config=file)  # type: ignore[call-arg]  # the file gives the rest
    except tomllib.TOMLDecodeError as error:
        raise InvalidInput(f"{file} is not valid TOML: {error}") from error
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise InvalidInput(f"{file} has values that Lens cannot use: {wrong}", "mend the named values") from error
